/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/err.h"
#include "tar/archive/pax.h"
#include "tar/archive/sparse.h"
#include "tests/unit/tarball.h"
#include "tests/unit/test.h"

static struct pax pax;
static struct sparse_map map;
static struct buf body;
static struct err err;

static int parse(void)
{
	int rc = pax_parse(&pax, body.data, body.len, &map, &err);

	buf_clear(&body);
	return rc;
}

static int parse_one(const char *key, const char *value)
{
	pax_add_text(&body, key, value);
	return parse();
}

static void test_framing(void)
{
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
		{"", 0},
		{"6 a=b\n", 0},
		{"06 a=b\n", -EBADMSG},
		{"7 a=b\n", -EBADMSG},
		{"7 aa=b\n7 c=d\n", -EBADMSG},
		{"8 aa=b\n", -EBADMSG},
		{"6 a=b\n6 a=b\n", 0},
		{"6 a=b\n\n", -EBADMSG},
		{"6 a=bx", -EBADMSG},
		{"5 =b\n", -EBADMSG},
		{"5 ab\n", -EBADMSG},
		{"a=b\n", -EBADMSG},
		{"-6 a=b\n", -EBADMSG},
		{" 6 a=b\n", -EBADMSG},
		{"99999999999999999999 a=b\n", -EBADMSG},
		{"7 a==b\n", 0},
		{"0 ", -EBADMSG},
		{"2 \n", -EBADMSG},
		{"7 a=\n\n\n", 0},
		{"6", -EBADMSG},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		archive_add(&body, rows[i].text, strlen(rows[i].text));
		err.text[0] = '\0';
		is_int(parse(), rows[i].rc, "framing %zu", i);
		ok(!rows[i].rc == !err.text[0], "sentence: %s", err.text);
	}
	archive_add(&body, "8 \0a=bc\n", 8);
	is_int(parse(), -EBADMSG, "NUL in a key");
}

static void test_times(void)
{
	static const struct {
		const char *text;
		int rc;
		long long sec;
		unsigned ns;
	} rows[] = {
		{"0", 0, 0, 0},
		{"1350244992.023960108", 0, 1350244992, 23960108},
		{"1350244992.0239601089999", 0, 1350244992, 23960108},
		{"1.5", 0, 1, 500000000},
		{"1.", 0, 1, 0},
		{"+1.000000001", 0, 1, 1},
		{"-1", 0, -1, 0},
		{"-1.5", 0, -2, 500000000},
		{"-0.1", 0, -1, 900000000},
		{"-0.0", 0, 0, 0},
		{"-1.9999999999", 0, -2, 1},
		{"9223372036854775807.9", 0, INT64_MAX, 900000000},
		{"-9223372036854775807.9", 0, INT64_MIN, 100000000},
		{"9223372036854775808", -EBADMSG, 0, 0},
		{".5", -EBADMSG, 0, 0},
		{"-", -EBADMSG, 0, 0},
		{"1.5.5", -EBADMSG, 0, 0},
		{"1,5", -EBADMSG, 0, 0},
		{"1e5", -EBADMSG, 0, 0},
		{"1.-5", -EBADMSG, 0, 0},
		{"--1", -EBADMSG, 0, 0},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_int(parse_one("mtime", rows[i].text), rows[i].rc, "time %s",
		       rows[i].text);
		if (rows[i].rc < 0)
			continue;
		is_int(pax.mtime.sec, rows[i].sec, "seconds");
		is_int(pax.mtime.ns, rows[i].ns, "nanoseconds");
	}
}

static void test_numbers_and_texts(void)
{
	static const char *const keys[] = {
		"size",		  "uid", "gid", "SCHILY.devmajor", "SCHILY.devminor",
		"GNU.sparse.size"};
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		is_int(parse_one(keys[i], "9223372036854775807"), 0, "%s up to 2^63-1",
		       keys[i]);
		is_int(parse_one(keys[i], "9223372036854775808"), -EBADMSG,
		       "and no more");
		is_int(parse_one(keys[i], "-1"), -EBADMSG, "not negative");
		is_int(parse_one(keys[i], "1x"), -EBADMSG, "nothing else: %s", err.text);
	}
	is_int(parse_one("path", "a\nb=c "), 0, "a path with a newline");
	ok(pax.path.len == 6 && memcmp(pax.path.data, "a\nb=c ", 6) == 0, "as it is");
	pax_add(&body, "path", "a\0b", 3);
	is_int(parse(), -EBADMSG, "a path with a NUL: %s", err.text);
	pax_add(&body, "linkpath", "a\0b", 3);
	is_int(parse(), -EBADMSG, "a link with a NUL");
	is_int(parse_one("atime", "yesterday"), 0, "what is not used may be anything");

	pax_add_text(&body, "path", "one");
	pax_add_text(&body, "size", "1");
	pax_add_text(&body, "mtime", "1");
	pax_add_text(&body, "path", "two");
	pax_add_text(&body, "size", "2");
	pax_add_text(&body, "mtime", "");
	is_int(parse(), 0, "a key said again");
	ok(pax.path.len == 3 && memcmp(pax.path.data, "two", 3) == 0,
	   "the last one counts");
	is_int(pax.size.value, 2, "also of numbers");
	ok(!pax.mtime.is_set, "an empty one takes it back");
	pax_add_text(&body, "path", "");
	is_int(parse(), 0, "an empty path");
	ok(!pax.path.data && !pax.size.is_set, "says nothing, and what was is forgotten");
}

static void is_xattr(size_t i, const char *name, const char *value, size_t len)
{
	if (!ok(i < pax.n_xattrs, "there is xattr %zu", i))
		return;
	is_text(pax.xattrs[i].name, name, "its name");
	ok(pax.xattrs[i].len == len && memcmp(pax.xattrs[i].value, value, len) == 0,
	   "its value");
}

static void test_xattrs(void)
{
	pax_add(&body, "SCHILY.xattr.user.nul", "a\0\nb", 4);
	pax_add_text(&body, "LIBARCHIVE.xattr.user.b%20c%", "aGVsbG8");
	pax_add_text(&body, "LIBARCHIVE.xattr.user.pad", "aGVsbA==");
	pax_add_text(&body, "RHT.security.selinux", "label");
	is_int(parse(), 0, "two forms");
	is_int(pax.n_xattrs, 3, "three xattrs");
	is_xattr(0, "user.nul", "a\0\nb", 4);
	is_xattr(1, "user.b c%", "hello", 5);
	is_xattr(2, "user.pad", "hell", 4);

	pax_add_text(&body, "LIBARCHIVE.xattr.user.x", "aGVsbG8");
	pax_add_text(&body, "SCHILY.xattr.user.x", "schily");
	pax_add_text(&body, "SCHILY.xattr.user.y", "schily");
	pax_add_text(&body, "LIBARCHIVE.xattr.user.y", "aGVsbG8");
	is_int(parse(), 0, "both forms of one name");
	is_int(pax.n_xattrs, 2, "count once");
	is_xattr(0, "user.x", "schily", 6);
	is_xattr(1, "user.y", "schily", 6);

	pax_add_text(&body, "SCHILY.xattr.user.x", "1");
	pax_add_text(&body, "SCHILY.xattr.user.y", "2");
	pax_add_text(&body, "SCHILY.xattr.user.x", "");
	pax_add_text(&body, "SCHILY.xattr.user.y", "3");
	is_int(parse(), 0, "empty and repeated");
	is_int(pax.n_xattrs, 2, "an empty value is one");
	is_xattr(0, "user.x", "", 0);
	is_xattr(1, "user.y", "3", 1);

	is_int(parse_one("LIBARCHIVE.xattr.user.x", "a"), -EBADMSG, "base64 cut: %s",
	       err.text);
	is_int(parse_one("LIBARCHIVE.xattr.user.x", "a!aa"), -EBADMSG, "no base64");
	is_int(parse_one("LIBARCHIVE.xattr.user.%00", "aaaa"), -EBADMSG, "NUL in a name");
	is_int(parse_one("SCHILY.xattr.", "v"), 0, "no name, no xattr");
	is_int(pax.n_xattrs, 0, "none");
}

static void test_xattr_ceilings(void)
{
	char name[512], *value = calloc(1, PAX_MAX_XATTR_VALUE + 1);
	size_t i;

	if (!value)
		exit(77);
	pax_add(&body, "SCHILY.xattr.user.x", value, PAX_MAX_XATTR_VALUE);
	is_int(parse(), 0, "the longest value");
	pax_add(&body, "SCHILY.xattr.user.x", value, PAX_MAX_XATTR_VALUE + 1);
	is_int(parse(), 0, "one more");
	ok(pax.n_xattrs == 0 && pax.n_lost == 1 && strcmp(pax.lost, "user.x") == 0,
	   "is lost");
	free(value);

	for (i = 255; i <= 256; i++) {
		memset(name, 'n', sizeof(name));
		memcpy(name, "SCHILY.xattr.", 13);
		name[13 + i] = '\0';
		is_int(parse_one(name, "v"), 0, "a name of %zu", i);
		is_int(pax.n_lost, i - 255, "lost if it is too long");
	}
	for (i = 0; i <= PAX_MAX_XATTRS; i++) {
		snprintf(name, sizeof(name), "SCHILY.xattr.user.%zu", i);
		pax_add_text(&body, name, "v");
	}
	is_int(parse(), 0, "too many");
	ok(pax.n_xattrs == PAX_MAX_XATTRS && pax.n_lost == 1, "the last is lost");
	for (i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "SCHILY.xattr.user.%0250zu", i);
		pax_add_text(&body, name, "v");
	}
	is_int(parse(), 0, "64 KiB of names");
	is_int(pax.n_xattrs, 256, "all there");
	for (i = 0; i < 257; i++) {
		snprintf(name, sizeof(name), "SCHILY.xattr.user.%0250zu", i);
		pax_add_text(&body, name, "v");
	}
	is_int(parse(), 0, "and more");
	ok(pax.n_xattrs == 256 && pax.n_lost == 1, "the last is lost");
}

static void test_sparse_records(void)
{
	pax_add_text(&body, "GNU.sparse.offset", "0");
	pax_add_text(&body, "GNU.sparse.numbytes", "10");
	pax_add_text(&body, "GNU.sparse.offset", "20");
	pax_add_text(&body, "GNU.sparse.numbytes", "5");
	is_int(parse(), 0, "form 0.0");
	ok(pax.has_map && map.n == 2 && map.extents[1].off == 20, "its map");
	pax_add_text(&body, "GNU.sparse.map", "1,2,3,4");
	pax_add_text(&body, "GNU.sparse.map", "0,4,8,4,20,0");
	is_int(parse(), 0, "form 0.1");
	ok(pax.has_map && map.n == 2 && map.extents[1].off == 8, "the last map counts");
	pax_add_text(&body, "GNU.sparse.map", "1,2,3,4");
	pax_add_text(&body, "GNU.sparse.map", "");
	is_int(parse(), 0, "a map taken back");
	ok(!pax.has_map && map.n == 0, "is none");
	is_int(parse_one("GNU.sparse.numbytes", "5"), -EBADMSG, "a length first: %s",
	       err.text);
	is_int(parse_one("GNU.sparse.offset", "x"), -EBADMSG, "no number");
}

int main(void)
{
	archive_init(&body);
	sparse_init(&map);
	archive_add(&body, "", 0);
	test_framing();
	test_times();
	test_numbers_and_texts();
	test_xattrs();
	test_xattr_ceilings();
	test_sparse_records();
	buf_release(&body);
	sparse_release(&map);
	return test_done();
}
