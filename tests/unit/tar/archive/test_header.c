/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/stat.h>

#include "base/err.h"
#include "tests/unit/tarball.h"
#include "tests/unit/test.h"

static void test_numbers(void)
{
	static const struct {
		const char *field;
		size_t len;
		bool good;
		long long value;
	} rows[] = {
		{"0000644\0", 8, true, 0644},
		{"00000644", 8, true, 0644},
		{"   644 \0", 8, true, 0644},
		{"\0\0\0"
		 "644\0\0",
		 8, true, 0644},
		{"644 junk", 8, true, 0644},
		{"\0\0\0\0\0\0\0\0", 8, true, 0},
		{"        ", 8, true, 0},
		{"777777777777", 12, true, 0777777777777},
		{"0000648\0", 8, false, 0},
		{"-000644\0", 8, false, 0},
		{"64a\0\0\0\0\0", 8, false, 0},
		{"\x80\0\0\0\0\0\1\0", 8, true, 256},
		{"\xff\xff\xff\xff\xff\xff\xff\xff", 8, true, -1},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12, true, -2},
		{"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12, true, INT64_MAX},
		{"\x80\0\0\0\x80\0\0\0\0\0\0\0", 12, false, 0},
		{"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12, true, INT64_MIN},
		{"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 12, false, 0},
		{"\x81\0\0\0\0\0\0\0\0\0\0\0", 12, false, 0},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t v = 77;

		is_int(header_number((const uint8_t *)rows[i].field, rows[i].len, &v),
		       rows[i].good, "number %zu is %s", i,
		       rows[i].good ? "one" : "none");
		is_int(v, rows[i].good ? rows[i].value : 77, "number %zu", i);
	}
}

static void test_checksum(void)
{
	uint8_t b[HEADER_SIZE];
	struct header h;
	struct err e;
	int sum = 0;
	size_t i;

	header_make(b, "caf\xc3\xa9\xff\xff", '0', 0);
	header_sum(b);
	is_int(header_parse(b, &h, &e), 0, "the unsigned sum");
	is_int(h.name_len, 7, "a name that is not UTF-8");

	memset(b + 148, ' ', 8);
	for (i = 0; i < HEADER_SIZE; i++)
		sum += (signed char)b[i];
	snprintf((char *)b + 148, 8, "%06o", (unsigned)sum);
	is_int(header_parse(b, &h, &e), 0, "the signed sum");
	b[0] ^= 1;
	is_int(header_parse(b, &h, &e), -EBADMSG, "a wrong sum");
	ok(strstr(e.text, "checksum"), "says so: %s", e.text);
	memset(b, 0, sizeof(b));
	ok(header_is_zero(b), "zeros");
	b[511] = 1;
	ok(!header_is_zero(b), "all but zeros");
	is_int(header_parse(b, &h, &e), -EBADMSG, "are no header");
	memset(b, 0xff, sizeof(b));
	is_int(header_parse(b, &h, &e), -EBADMSG, "nor are ones");
}

static void test_fields(void)
{
	static const struct {
		size_t at, len;
		const char *value;
	} bad[] = {
		{AT_MODE, "9"},
		{AT_UID, "x"},
		{AT_GID, "x"},
		{AT_SIZE, "8"},
		{AT_SIZE, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
		{AT_MTIME, "?"},
		{AT_MAJOR, "x"},
		{AT_MINOR, "x"},
	};
	uint8_t b[HEADER_SIZE];
	struct header h;
	struct err e;
	size_t i;

	header_make(b, "dev", '3', 5);
	header_octal(b, AT_MODE, 0106755);
	header_octal(b, AT_UID, 1000);
	header_base256(b, AT_GID, 4000000000);
	header_base256(b, AT_MTIME, -5);
	header_octal(b, AT_MAJOR, 8);
	header_octal(b, AT_MINOR, 17);
	header_sum(b);
	is_int(header_parse(b, &h, &e), 0, "a device");
	is_int(h.mode, 06755, "of the mode only the permissions");
	is_int(h.uid, 1000, "uid");
	is_int(h.gid, 4000000000, "gid in base-256");
	is_int(h.mtime, -5, "a time before the epoch");
	is_int(h.dev_major, 8, "major");
	is_int(h.dev_minor, 17, "minor");
	is_int(h.size, 5, "size");

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		header_make(b, "bad", '3', 0);
		memcpy(b + bad[i].at, bad[i].value, strnlen(bad[i].value, bad[i].len));
		header_sum(b);
		is_int(header_parse(b, &h, &e), -EBADMSG, "field at %zu: %s", bad[i].at,
		       e.text);
	}
	header_make(b, "f", '0', 0);
	b[329] = 'x';
	header_sum(b);
	is_int(header_parse(b, &h, &e), 0, "what is no device has no device number");
}

/* Names: which magic makes the bytes at 345 a prefix. */
static void test_names(void)
{
	static const struct {
		const char *what, *magic;
		const char *field;
		bool is_star;
		size_t prefix_len;
	} rows[] = {
		{"ustar", "ustar\00000", "usr/lib", false, 7},
		{"v7", "\0\0\0\0\0\0\0\0", "usr/lib", false, 0},
		{"GNU without times", "ustar  \0", "", false, 0},
		{"GNU with times", "ustar  \0", "01234567012 01234567012", false, 0},
		{"Go before 1.8", "ustar  \0", "usr/lib", false, 7},
		{"GNU and no ASCII", "ustar  \0", "usr/l\xef", false, 0},
		{"star", "ustar\00000", "usr/lib", true, 7},
	};
	uint8_t b[HEADER_SIZE];
	struct header h;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		header_make(b, "name", '2', 0);
		memcpy(b + 257, rows[i].magic, 8);
		strcpy((char *)b + 345, rows[i].field);
		if (rows[i].is_star)
			memcpy(b + 508, "tar", 4);
		header_sum(b);
		is_int(header_parse(b, &h, NULL), 0, "%s", rows[i].what);
		is_int(h.prefix_len, rows[i].prefix_len, "%s: prefix", rows[i].what);
	}
	header_make(b, "", '2', 0);
	memset(b, 'n', 100);
	memset(b + 157, 'l', 100);
	memset(b + 345, 'p', 155);
	header_sum(b);
	is_int(header_parse(b, &h, NULL), 0, "full fields");
	is_int(h.name_len, 100, "name without NUL");
	is_int(h.link_len, 100, "link without NUL");
	is_int(h.prefix_len, 155, "prefix without NUL");
	memcpy(b + 508, "tar", 4);
	header_sum(b);
	header_parse(b, &h, NULL);
	is_int(h.prefix_len, 131, "star's prefix is shorter");
}

static void test_kinds(void)
{
	static const struct {
		char type;
		enum header_kind kind;
		unsigned file;
		bool content;
	} rows[] = {
		{'\0', HEADER_ENTRY, S_IFREG, true},
		{'0', HEADER_ENTRY, S_IFREG, true},
		{'1', HEADER_ENTRY, S_IFREG, false},
		{'2', HEADER_ENTRY, S_IFLNK, false},
		{'3', HEADER_ENTRY, S_IFCHR, false},
		{'4', HEADER_ENTRY, S_IFBLK, false},
		{'5', HEADER_ENTRY, S_IFDIR, false},
		{'6', HEADER_ENTRY, S_IFIFO, false},
		{'7', HEADER_ENTRY, S_IFREG, true},
		{'S', HEADER_ENTRY, S_IFREG, true},
		{'Q', HEADER_ENTRY, S_IFREG, true},
		{'x', HEADER_PAX, S_IFREG, true},
		{'X', HEADER_PAX, S_IFREG, true},
		{'g', HEADER_GLOBAL, S_IFREG, true},
		{'L', HEADER_LONG_NAME, S_IFREG, true},
		{'K', HEADER_LONG_LINK, S_IFREG, true},
		{'V', HEADER_VENDOR, S_IFREG, true},
		{'M', HEADER_ENTRY, S_IFREG, true},
		{'N', HEADER_VENDOR, S_IFREG, true},
		{'A', HEADER_VENDOR, S_IFREG, true},
		{'D', HEADER_ENTRY, S_IFDIR, true},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct header h = {.type = rows[i].type};

		is_int(header_kind(&h), rows[i].kind, "kind of '%c'",
		       h.type ? h.type : '-');
		is_int(header_file_type(&h), rows[i].file, "file type");
		is_int(header_has_content(&h), rows[i].content, "content");
	}
}

int main(void)
{
	test_numbers();
	test_checksum();
	test_fields();
	test_names();
	test_kinds();
	return test_done();
}
