/* SPDX-License-Identifier: MIT */
/* Is the content of a file at a stated offset? */
#include <errno.h>

#include "base/err.h"
#include "tar/archive/preamble.h"
#include "tests/unit/tarball.h"
#include "tests/unit/test.h"

static struct buf tar;
static unsigned n_reads;

static int read_tar(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	(void)arg;
	n_reads++;
	if (off > tar.len || len > tar.len - off)
		return err_set(e, -EIO, "read past the end");
	memcpy(buf, tar.data + off, len);
	return 0;
}

static void add_content(size_t len)
{
	archive_zeros(&tar, len + (HEADER_SIZE - len % HEADER_SIZE) % HEADER_SIZE);
}

/* The offset of what follows. */
static uint64_t add_header(const char *name, char type, size_t size)
{
	uint8_t h[HEADER_SIZE];

	header_make(h, name, type, size);
	archive_header(&tar, h);
	return tar.len;
}

static void add_record(const char *key, const char *value)
{
	struct buf body;

	buf_init(&body, 1 << 20);
	pax_add_text(&body, key, value);
	archive_meta(&tar, 'x', &body);
	buf_release(&body);
}

static void add_long_name(const char *name)
{
	struct buf body;

	buf_init(&body, 1 << 20);
	archive_add(&body, name, strlen(name) + 1);
	archive_meta(&tar, 'L', &body);
	buf_release(&body);
}

/* The last component of the path. */
static bool ends_in(void *named, const char *path, size_t len)
{
	size_t n = strlen(named);

	return len >= n && memcmp(path + len - n, named, n) == 0 &&
	       (len == n || path[len - n - 1] == '/');
}

static int check(uint64_t data, uint64_t size, const char *name)
{
	struct preamble_want want = {.data = data,
				     .size = size,
				     .is_named = name ? ends_in : NULL,
				     .named = (void *)(uintptr_t)name};
	struct err e = {""};
	int rc;

	n_reads = 0;
	rc = preamble_check(read_tar, NULL, &want, &e);
	if (rc < 0)
		ok(e.text[0] != '\0', "says: %s", e.text);
	return rc;
}

static void test_headers(void)
{
	uint64_t first, second, device;

	first = add_header("dir/first", '0', 700);
	add_content(700);
	second = add_header("second", '0', 700);
	add_content(700);
	device = add_header("device", '3', 0);
	is_int(check(first, 700, "first"), 0, "a file");
	is_int(n_reads, 1, "by its header alone");
	is_int(check(second, 700, "second"), 0, "another");
	is_int(check(first, 700, NULL), 0, "of any name");
	is_int(check(first, 700, "second"), -EBADMSG, "under the other's name");
	is_int(check(first, 700, "irst"), -EBADMSG, "under half its name");
	is_int(check(first, 699, "first"), -EBADMSG, "of another size");
	is_int(check(first + 512, 100, "first"), -EBADMSG, "in its middle");
	is_int(check(first + 1, 100, "first"), -EBADMSG, "at an odd place");
	is_int(check(0, 100, "first"), -EBADMSG, "at the beginning");
	is_int(check(device, 0, "device"), -EBADMSG, "of another type");
	is_int(check(1 << 30, 5, "first"), -EIO, "past the end");
}

static void test_records(void)
{
	char text[400] = "dir/", *name = text + 4;
	uint64_t pax, gnu, both, sized;

	memset(name, 'n', 300);
	add_record("path", "a/very/long/path/name");
	pax = add_header("short", '0', 10);
	add_content(10);
	add_long_name(text);
	gnu = add_header(text, '0', 10);
	add_content(10);
	add_record("a", "b");
	add_long_name(text);
	both = add_header("x", '0', 10);
	add_content(10);
	add_record("size", "900");
	sized = add_header("sized", '0', 0);
	add_content(900);
	is_int(check(pax, 10, "name"), 0, "a path in a record");
	is_int(check(pax, 10, "path"), -EBADMSG, "under a part of it");
	is_int(check(gnu, 10, name), 0, "a long name");
	is_int(check(gnu, 10, name + 1), -EBADMSG, "under another");
	is_int(check(both, 10, name), 0, "records and a long name");
	is_int(check(sized, 900, "sized"), 0, "a size in a record");
	is_int(check(sized, 901, "sized"), -EBADMSG, "and another");
}

/* A preceding xattr of some size, so that the records take many blocks. */
static void test_long_records(void)
{
	static char value[30001];
	struct buf body;
	uint64_t at;

	memset(value, 'v', sizeof(value) - 1);
	buf_init(&body, 1 << 20);
	pax_add_text(&body, "path", "a/zz");
	pax_add_text(&body, "SCHILY.xattr.user.big", value);
	archive_meta(&tar, 'x', &body);
	buf_release(&body);
	at = add_header("other", '0', 5);
	add_content(5);
	is_int(check(at, 5, "zz"), 0, "behind records of 30 KB");
	is_int(n_reads, 2, "in one more read");
}

int main(void)
{
	archive_init(&tar);
	test_headers();
	test_records();
	test_long_records();
	buf_release(&tar);
	return test_done();
}
