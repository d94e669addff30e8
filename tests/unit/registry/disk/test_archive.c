/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/source.h"
#include "registry/disk/archive.h"
#include "registry/image/archive_helper.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

static struct buf tar;

/* A header with its checksum, then the data padded to a block. */
static void put(const char *name, char type, const char *link, const char *data,
		size_t len)
{
	char h[512] = {0}, zero[512] = {0};
	unsigned sum = 0;
	size_t i;

	snprintf(h, 100, "%s", name);
	snprintf(h + 100, 8, "%07o", 0644);
	snprintf(h + 124, 12, "%011o", (unsigned)len);
	h[156] = type;
	snprintf(h + 157, 100, "%s", link);
	memcpy(h + 257, "ustar\00000", 8);
	memset(h + 148, ' ', 8);
	for (i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	buf_append(&tar, h, sizeof(h));
	buf_append(&tar, data, len);
	buf_append(&tar, zero, (512 - len % 512) % 512);
}

static void put_file(const char *name, const char *text)
{
	put(name, '0', "", text, strlen(text));
}

static void end(void)
{
	char zero[1024] = {0};

	buf_append(&tar, zero, sizeof(zero));
}

/* "Unpacks" by leaving out the first bytes, and keeps the identity. */
static char seen[200];
static int unpack_rc;

static int unpack(void *arg, struct source *packed, const char *identity,
		  struct source **out, struct err *e)
{
	(void)arg;
	snprintf(seen, sizeof(seen), "%s", identity ? identity : "(none)");
	if (unpack_rc < 0)
		return err_set(e, unpack_rc, "cannot be unpacked");
	return source_slice(packed, 512, packed->size - 512, out);
}

static const struct archive_helper *helper;

static int open_tar(struct archive **a, struct err *e)
{
	struct source *s;
	int rc = source_memory(tar.data, tar.len, &s);

	if (rc == 0) {
		rc = archive_new(s, helper, a, e);
		source_unref(s);
	}
	return rc;
}

static void has(struct archive *a, const char *name, const char *want)
{
	struct source *s = NULL;
	char text[200] = "";
	struct err e;
	int rc = archive_member(a, name, &s, &e);

	if (!want) {
		is_int(rc, -ENOENT, "%s is not there", name);
		return;
	}
	is_int(rc, 0, "%s", name);
	if (rc == 0) {
		is_int(source_pread(s, text, sizeof(text) - 1, 0, NULL), strlen(want),
		       "has its size");
		is_text(text, want, "and its bytes");
	}
	source_unref(s);
}

static void test_good(void)
{
	char deep[160], map[512] = "0\n";
	struct archive *a = NULL;
	struct source *s = NULL;
	struct err e = {""};

	memset(deep, 'd', 150);
	memcpy(deep + 75, "/", 1);
	deep[150] = '\0';
	put_file("manifest.json", "m1");
	put_file("./dot/x", "x");
	put("dir/", '5', "", "", 0);
	put_file("dir/layer.tar", "layer");
	put("other/layer.tar", '2', "../dir/layer.tar", "", 0);
	put("third/layer.tar", '2', "../other/layer.tar", "", 0);
	put("hard", '1', "dir/layer.tar", "", 0);
	put("loop", '2', "loop", "", 0);
	put("up", '2', "../../../dir/layer.tar", "", 0);
	put("////LongLink", 'L', "", deep, 151);
	put_file("cut", "gnu");
	put("pax", 'x', "", "12 path=p/q\n11 other=1\n", 23);
	put_file("cut", "pax");
	put("maps", 'x', "",
	    "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
	    "25 GNU.sparse.realsize=9\n",
	    69);
	put("maps", '0', "", map, sizeof(map));
	put("node", '3', "", "", 0);
	put("pax", 'g', "", "13 comment=x\n", 13);
	put_file("manifest.json", "m2");
	put_file("empty", "");
	end();
	is_int(open_tar(&a, &e), 0, "an archive (%s)", e.text);
	has(a, "manifest.json", "m2");
	has(a, "./manifest.json", "m2");
	has(a, "dot/x", "x");
	has(a, "dir/layer.tar", "layer");
	has(a, "other/layer.tar", "layer");
	has(a, "third/layer.tar", "layer");
	has(a, "hard", "layer");
	has(a, "up", "layer");
	has(a, "loop", NULL);
	has(a, deep, "gnu");
	has(a, "p/q", "pax");
	has(a, "empty", "");
	has(a, "cut", NULL);
	has(a, "dir/", NULL);
	has(a, "node", NULL);
	is_int(archive_member(a, "maps", &s, &e), -ENOTSUP, "a sparse file (%s)", e.text);
	archive_free(a);
}

static void test_bad(void)
{
	static const char *const packed[] = {"\x1f\x8b\x08 gzip", "\x28\xb5\x2f\xfd zstd",
					     "BZh91",
					     ("\xfd"
					      "7zXZ")};
	struct archive *a = NULL;
	struct err e = {""};
	size_t i;

	tar.len -= 1024 + 512; /* the end, and the empty member before it */
	is_int(open_tar(&a, &e), 0, "one without its end");
	archive_free(a);
	tar.len -= 512;
	is_int(open_tar(&a, &e), -EBADMSG, "one cut inside of a member");
	tar.len -= 100;
	is_int(open_tar(&a, &e), -EBADMSG, "one cut inside of a header");
	ok(e.text[0] != '\0', "says: %s", e.text);
	tar.data[0] ^= 1;
	is_int(open_tar(&a, &e), -EBADMSG, "a wrong checksum");
	for (i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
		buf_clear(&tar);
		buf_append_text(&tar, packed[i]);
		is_int(open_tar(&a, &e), -ENOTSUP, "a compressed one");
		ok(e.text[0] != '\0', "says: %s", e.text);
	}
	buf_clear(&tar);
	put("pax", 'x', "", "99 path=p\n", 10);
	is_int(open_tar(&a, &e), -EBADMSG, "bad pax records");
	buf_clear(&tar);
	is_int(open_tar(&a, &e), 0, "an empty file is an empty archive");
	has(a, "manifest.json", NULL);
	archive_free(a);
}

/* Of a compressed archive the helper makes the bytes that are scanned. */
static void test_packed(void)
{
	static const struct archive_helper h = {.unpack = unpack};
	char head[512] = "\x1f\x8b";
	struct archive *a = NULL;
	struct err e = {""};

	buf_clear(&tar);
	buf_append(&tar, head, sizeof(head));
	put_file("manifest.json", "inside");
	end();
	helper = &h;
	is_int(open_tar(&a, &e), 0, "a compressed archive, with a helper (%s)", e.text);
	has(a, "manifest.json", "inside");
	is_text(seen, "(none)", "memory has no identity");
	archive_free(a);
	unpack_rc = -EBADMSG;
	is_int(open_tar(&a, &e), -EBADMSG, "one that the helper cannot unpack");
	is_text(e.text, "cannot be unpacked", "in its words");
	unpack_rc = 0;
	memcpy(tar.data, "BZh9", 4);
	is_int(open_tar(&a, &e), -ENOTSUP, "bzip2 is refused all the same: %s", e.text);
	helper = NULL;
}

/* Opening reads nothing; a second scan does nothing. */
static void test_open(void)
{
	struct archive *a = NULL;
	struct err e = {""};
	FILE *f = fopen(place_path("a.tar"), "w");

	is_int(archive_open(place_path("none.tar"), NULL, &a, &e), -ENOENT, "%s", e.text);
	if (!f)
		exit(1);
	buf_clear(&tar);
	put_file("manifest.json", "on disk");
	end();
	is_int(archive_open(place_path("a.tar"), NULL, &a, &e), 0,
	       "a file that is still empty");
	fwrite(tar.data, 1, tar.len, f);
	fclose(f);
	is_int(archive_scan(a, &e), 0, "is an archive without members");
	is_int(archive_scan(a, &e), 0, "whenever it is asked");
	archive_free(a);
	is_int(archive_open(place_path("a.tar"), NULL, &a, &e), 0, "the file");
	is_int(archive_scan(a, &e), 0, "is scanned %s", e.text);
	has(a, "manifest.json", "on disk");
	archive_free(a);
}

int main(void)
{
	place_make();
	buf_init(&tar, 1 << 20);
	test_good();
	test_bad();
	test_packed();
	test_open();
	buf_release(&tar);
	return test_done();
}
