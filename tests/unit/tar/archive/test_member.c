/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/stat.h>

#include "base/err.h"
#include "tar/archive/member.h"
#include "tar/archive/pax.h"
#include "tests/unit/test.h"

#define TEXT(s)                                   \
	{                                         \
		.data = (s), .len = sizeof(s) - 1 \
	}

static struct header plain(char type)
{
	return (struct header){
		.type = type,
		.mode = 0644,
		.name = "header",
		.name_len = 6,
		.prefix = "",
		.link = "header link",
		.link_len = 11,
	};
}

static bool is_path(const struct tar_entry *t, const char *path)
{
	return t->path_len == strlen(path) && memcmp(t->path, path, t->path_len) == 0;
}

static bool is_link(const struct tar_entry *t, const char *link)
{
	return t->link_len == strlen(link) && memcmp(t->link, link, t->link_len) == 0;
}

/* Each row adds one thing to the row before, and the addition wins. */
static void test_names(void)
{
	static struct pax none, pax, sparse;
	struct header h = plain('0');
	struct member m = {&h, &none, "", ""};
	char joined[MEMBER_PATH_MAX], field[155];
	struct tar_entry t = {0};

	pax.path = (struct pax_text)TEXT("pax");
	pax.link = (struct pax_text)TEXT("pax link");
	sparse = pax;
	sparse.sparse_name = (struct pax_text)TEXT("sparse");

	h.name_len = 0;
	member_names(&m, joined, &t);
	ok(is_path(&t, "."), "no name");
	h.name_len = 6;
	member_names(&m, joined, &t);
	ok(is_path(&t, "header"), "the header's");
	ok(!t.link && !t.is_hardlink, "a file has no link");
	h.prefix = "pre";
	h.prefix_len = 3;
	member_names(&m, joined, &t);
	ok(is_path(&t, "pre/header"), "with its prefix");
	m.pax = &pax;
	member_names(&m, joined, &t);
	ok(is_path(&t, "pax"), "pax");
	m.long_name = "long";
	member_names(&m, joined, &t);
	ok(is_path(&t, "long"), "L");
	m.pax = &sparse;
	member_names(&m, joined, &t);
	ok(is_path(&t, "long"), "a sparse name alone is none");
	sparse.sparse_major.is_set = true;
	member_names(&m, joined, &t);
	ok(is_path(&t, "sparse"), "GNU.sparse.name");

	h = plain('1');
	m = (struct member){&h, &none, "", ""};
	member_names(&m, joined, &t);
	ok(t.is_hardlink && is_link(&t, "header link"), "a hard link");
	h.type = '2';
	t = (struct tar_entry){0};
	member_names(&m, joined, &t);
	ok(!t.is_hardlink && is_link(&t, "header link"), "a symlink");
	m.pax = &pax;
	member_names(&m, joined, &t);
	ok(is_link(&t, "pax link"), "pax");
	m.long_link = "long link";
	member_names(&m, joined, &t);
	ok(is_link(&t, "long link"), "K");

	memset(field, 'p', sizeof(field));
	h.prefix = h.name = field;
	h.prefix_len = 155;
	h.name_len = 100;
	m = (struct member){&h, &none, "", ""};
	member_names(&m, joined, &t);
	is_int(t.path_len, 256, "the longest that a header can say");
}

static void test_stat(void)
{
	static const struct {
		char type;
		const char *path;
		uint64_t size;
		uint32_t file;
		uint64_t want;
	} rows[] = {
		{'0', "f", 5, S_IFREG, 5},   {'\0', "f", 5, S_IFREG, 5},
		{'0', "f/", 5, S_IFREG, 5},  {'0', "f/", 0, S_IFDIR, 0},
		{'\0', "f/", 5, S_IFDIR, 0}, {'5', "f", 5, S_IFDIR, 0},
		{'1', "f", 5, S_IFREG, 0},   {'2', "f/", 5, S_IFLNK, 0},
		{'7', "f/", 0, S_IFREG, 0},
	};
	static struct pax p;
	struct header h;
	struct member m = {&h, &p, "", ""};
	struct tar_entry t;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		t = (struct tar_entry){.path = rows[i].path,
				       .path_len = strlen(rows[i].path)};
		h = plain(rows[i].type);
		h.size = rows[i].size;
		is_int(member_stat(&m, &t, &e), 0, "row %zu", i);
		is_int(t.mode, rows[i].file | 0644, "its type");
		ok(t.size == rows[i].want && t.stored == rows[i].want, "its size");
	}
	h = plain('3');
	h.uid = UINT32_MAX;
	h.gid = -1;
	h.dev_major = 8;
	p.gid = (struct pax_number){true, 7};
	p.dev_minor = (struct pax_number){true, 3};
	p.mtime = (struct pax_time){true, -2, 5};
	is_int(member_stat(&m, &t, &e), 0, "what pax says hides what the header says");
	ok(t.uid == 0 && t.gid == 7, "owner");
	ok(t.rdev_major == 8 && t.rdev_minor == 3, "device");
	ok(t.mtime == -2 && t.mtime_ns == 5, "time");
	p.gid.is_set = false;
	is_int(member_stat(&m, &t, &e), -EBADMSG, "a negative gid: %s", e.text);
	h.gid = 0;
	h.dev_major = 1LL << 32;
	is_int(member_stat(&m, &t, &e), 0, "a device of 33 bits");
	is_int(t.rdev_major, UINT32_MAX, "which no device has");
	h.type = '0';
	is_int(member_stat(&m, &t, &e), 0, "which only a device has");
	ok(t.size == 0 && !t.is_sparse, "and nothing else is set");
}

int main(void)
{
	test_names();
	test_stat();
	return test_done();
}
