/* SPDX-License-Identifier: MIT */
/* Plain archives, names, refusals, and the files in tests/data/tar. */
#include <glob.h>
#include <limits.h>

#include "tests/unit/tar/archive/report.h"

static void test_plain(void)
{
	uint8_t h[HEADER_SIZE];

	expect("no byte at all", 0, "");
	archive_end(&archive);
	expect("the empty layer", 0, "");

	archive_entry(&archive, "etc/", '5', "");
	archive_entry(&archive, "etc/a", '0', "hello\n");
	archive_entry(&archive, "b", '0', "");
	archive_end(&archive);
	expect("files and a folder", 0,
	       "d0644 0:0 0 etc/\n-0644 0:0 0 etc/a size 6 at 1024: hello\n\n-0644 0:0 0 b\n");

	header_make(h, "full", '0', 512);
	memset(h, 'n', 100);
	memset(h + 345, 'p', 155);
	archive_header(&archive, h);
	memset(h, 'x', sizeof(h));
	archive_add(&archive, h, sizeof(h));
	expect("a block of content, no end marker", 0, NULL);

	header_make(h, "name", '0', 0);
	strcpy((char *)h + 345, "usr/lib");
	archive_header(&archive, h);
	header_make(h, "old", '0', 0);
	memset(h + 257, 0, 8);
	strcpy((char *)h + 345, "junk");
	archive_header(&archive, h);
	header_make(h, "", '5', 0);
	archive_header(&archive, h);
	expect("names", 0, "-0644 0:0 0 usr/lib/name\n-0644 0:0 0 old\nd0644 0:0 0 .\n");

	header_make(h, "f", '0', 0);
	header_octal(h, AT_MODE, 0106755);
	header_base256(h, AT_UID, 4294967295);
	header_octal(h, AT_GID, 100);
	header_base256(h, AT_MTIME, -1000000000000);
	archive_header(&archive, h);
	expect("numbers", 0, "-6755 0:100 -1000000000000 f\n");
}

static void test_types(void)
{
	static const struct {
		const char *name;
		char type;
		unsigned size;
		const char *log;
	} rows[] = {
		{"n", '\0', 2, "-0644 0:0 0 n size 2 at 512: hi\n"},
		{"n", '7', 2, "-0644 0:0 0 n size 2 at 512: hi\n"},
		{"n", 'Z', 2, "-0644 0:0 0 n size 2 at 512: hi\n"},
		{"n/", '0', 2, "-0644 0:0 0 n/ size 2 at 512: hi\n"},
		{"n/", '\0', 0, "d0644 0:0 0 n/\n"},
		{"n/", '\0', 2, "d0644 0:0 0 n/\n"},
		{"n/", '0', 0, "d0644 0:0 0 n/\n"},
		{"n/", 'Z', 0, "-0644 0:0 0 n/\n"},
		/* Content of types that have none. */
		{"n", '1', 2, "h0644 0:0 0 n -> target\n"},
		{"n", '2', 2, "l0644 0:0 0 n -> target\n"},
		{"n", '3', 2, "c0644 0:0 0 n\n"},
		{"n", '4', 2, "b0644 0:0 0 n\n"},
		{"n", '5', 2, "d0644 0:0 0 n\n"},
		{"n", '6', 2, "p0644 0:0 0 n\n"},
		{"n/", '1', 0, "h0644 0:0 0 n/ -> target\n"},
		{"n", 'V', 2, ""},
		{"n", 'M', 2, "-0644 0:0 0 n size 2 at 512: hi\n"},
		{"n", 'N', 2, ""},
		{"n", 'A', 2, ""},
		{"n", 'D', 2, "d0644 0:0 0 n\n"},
		{"n", 'V', 0, ""},
	};
	uint8_t h[HEADER_SIZE];
	char log[256], what[32];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool has_content = rows[i].size > 0 && strcmp(rows[i].name, "n/") != 0;

		if (rows[i].type == '0' && rows[i].size > 0)
			has_content = true;
		if (rows[i].type >= '1' && rows[i].type <= '6')
			has_content = false;
		header_make(h, rows[i].name, rows[i].type, rows[i].size);
		strcpy((char *)h + 157, "target");
		archive_header(&archive, h);
		if (has_content)
			archive_content(&archive, "hi", 2);
		archive_entry(&archive, "next", '5', "");
		snprintf(log, sizeof(log), "%sd0644 0:0 0 next\n", rows[i].log);
		snprintf(what, sizeof(what), "type %zu", i);
		expect(what, 0, log);
	}
	header_make(h, "tty", '3', 0);
	header_octal(h, AT_MAJOR, 5);
	header_octal(h, AT_MINOR, 1);
	archive_header(&archive, h);
	archive_pax(&archive, "SCHILY.devmajor", "300000");
	archive_header(&archive, h);
	archive_pax(&archive, "SCHILY.devmajor", "3");
	archive_entry(&archive, "f", '0', "");
	expect("devices", 0,
	       "c0644 0:0 0 dev 5,1 tty\nc0644 0:0 0 dev 300000,1 tty\n-0644 0:0 0 f\n");
}

static void test_end(void)
{
	archive_entry(&archive, "a", '5', "");
	archive_zeros(&archive, 512);
	archive_entry(&archive, "b", '5', "");
	archive_end(&archive);
	archive_entry(&archive, "c", '5', "");
	archive_add(&archive, "junk", 4);
	expect("a lone zero block, an end, and more", 0,
	       "d0644 0:0 0 a\nd0644 0:0 0 b\n");

	archive_entry(&archive, "a", '5', "");
	archive_zeros(&archive, 512);
	expect("one zero block at the end", 0, "d0644 0:0 0 a\n");

	archive_entry(&archive, "a", '0', "hi");
	archive.len -= 510;
	expect("no padding at the end", 0, "-0644 0:0 0 a size 2 at 512: hi\n");

	archive_entry(&archive, "a", '0', "hi");
	archive.len -= 511;
	expect_sentence("cut in the content", -EBADMSG,
			"\"a\" at byte 0: the archive ends inside");

	archive_entry(&archive, "a", '0', "hi");
	archive.len = 512;
	expect_sentence("cut before the content", -EBADMSG,
			"ends inside it, at byte 512");

	archive_entry(&archive, "a", '5', "");
	archive_zeros(&archive, 100);
	expect_sentence("cut in a header", -EBADMSG, "inside a header, at byte 612");

	archive_pax(&archive, "path", "p");
	expect_sentence("an extended header and no entry", -EBADMSG, "before the entry");
	archive_pax(&archive, "path", "p");
	archive_end(&archive);
	expect("an extended header and the end marker", 0, "");
	archive_pax(&archive, "path", "p");
	archive.len = 512 + 3;
	expect_sentence("cut in an extended header", -EBADMSG, "header at byte 0");
}

static void test_names(void)
{
	uint8_t h[HEADER_SIZE];
	struct buf body;

	archive_init(&body);
	add_long('L', "long name", 10);
	add_long('K', "long link", 10);
	archive_entry(&archive, "short", '2', "");
	archive_entry(&archive, "next", '2', "");
	expect("GNU long names", 0,
	       "l0644 0:0 0 long name -> long link\nl0644 0:0 0 next -> \n");

	pax_add_text(&body, "path", "pax");
	pax_add_text(&body, "linkpath", "pax link");
	archive_meta(&archive, 'x', &body);
	archive_entry(&archive, "short", '2', "");
	add_long('L', "gnu", 3);
	archive_pax(&archive, "path", "pax");
	archive_entry(&archive, "short", '5', "");
	add_long('L', "", 0);
	add_long('L', "\0x", 2);
	archive_pax(&archive, "path", "pax");
	archive_entry(&archive, "short", '5', "");
	archive_pax(&archive, "path", "one");
	archive_pax(&archive, "uid", "7");
	archive_entry(&archive, "short", '5', "");
	archive_pax(&archive, "path", "dir/");
	archive_entry(&archive, "old", '\0', "");
	expect("who names an entry", 0,
	       "l0644 0:0 0 pax -> pax link\nd0644 0:0 0 gnu\nd0644 0:0 0 pax\n"
	       "d0644 7:0 0 short\nd0644 0:0 0 dir/\n");

	archive_pax(&archive, "path", "kept");
	pax_add_text(&body, "path", "global");
	pax_add_text(&body, "uid", "5");
	archive_meta(&archive, 'g', &body);
	archive_entry(&archive, "short", '5', "");
	archive_entry(&archive, "short", '5', "");
	expect("a global header between", 0, "d0644 0:0 0 kept\nd0644 0:0 0 short\n");

	archive_pax(&archive, "path", "label's");
	archive_entry(&archive, "label", 'V', "");
	archive_entry(&archive, "short", '5', "");
	archive_meta(&archive, 'x', &body);
	archive_meta(&archive, 'g', &body);
	archive_entry(&archive, "short", '5', "");
	pax_add_text(&body, "uid", "3");
	archive_meta(&archive, 'X', &body);
	archive_entry(&archive, "short", '5', "");
	expect("what is for another, empty, or Solaris'", 0,
	       "d0644 0:0 0 short\nd0644 0:0 0 short\nd0644 3:0 0 short\n");

	pax_add_text(&body, "size", "3");
	pax_add_text(&body, "mtime", "-1.25");
	pax_add_text(&body, "uid", "4294967295");
	pax_add_text(&body, "gid", "70000");
	pax_add_text(&body, "SCHILY.xattr.user.a", "v");
	archive_meta(&archive, 'x', &body);
	header_make(h, "f", '0', 0);
	header_base256(h, AT_UID, -1);
	archive_header(&archive, h);
	archive_content(&archive, "abc", 3);
	archive_entry(&archive, "next", '5', "");
	expect("pax over the header", 0,
	       "-0644 0:70000 -2.750000000 f size 3 user.a=v at 1536: abc\n"
	       "d0644 0:0 0 next\n");
	buf_release(&body);
}

static void test_refusals(void)
{
	uint8_t h[HEADER_SIZE];
	struct buf body;

	archive_init(&body);
	archive_entry(&archive, "good", '0', "content");
	archive_entry(&archive, "bad", '5', "");
	archive.data[1024]++;
	expect_sentence("a wrong checksum", -EBADMSG,
			"header at byte 1024: the header's checksum");

	header_make(h, "f", '0', 0);
	header_base256(h, AT_UID, 4294967296);
	archive_header(&archive, h);
	expect_sentence("a uid of 33 bits", -EBADMSG,
			"\"f\" at byte 0: the uid 4294967296");
	archive_pax(&archive, "gid", "4294967296");
	archive_entry(&archive, "f", '5', "");
	expect_sentence("a gid of 33 bits", -EBADMSG,
			"\"f\" at byte 1024: the gid 4294967296");
	archive_pax(&archive, "size", "9223372036854775808");
	archive_entry(&archive, "f", '0', "");
	expect_sentence("a size of 2^63", -EBADMSG,
			"header at byte 0: the pax record size");
	pax_add_text(&body, "comment", "x");
	body.data[0] = '9';
	archive_meta(&archive, 'g', &body);
	expect_sentence("a bad global header", -EBADMSG, "wrong length");
	header_make(h, "x", 'x', 1048577);
	archive_header(&archive, h);
	expect_sentence("an extended header over 1 MiB", -E2BIG, "1048577");
	header_make(h, "L", 'L', 1048577);
	archive_header(&archive, h);
	expect_sentence("a long name over 1 MiB", -E2BIG, "1048577");
	header_make(h, "f", '0', 0);
	header_base256(h, AT_SIZE, INT64_MAX);
	archive_header(&archive, h);
	archive_add(&archive, "some", 4);
	expect_sentence("a size of 2^63-1", -EBADMSG, "ends inside");
	buf_release(&body);
}

/* A path of 1 MiB less the record, with everything else that can be long. */
static void test_long(void)
{
	size_t len = (1 << 20) - 15;
	char *path = malloc(len + 1);
	struct report report;

	if (!path)
		exit(77);
	memset(path, 'p', len);
	path[len] = '\0';
	archive_pax(&archive, "path", path);
	archive_entry(&archive, "f", '0', "x");
	read_archive(&report, 1000, 0);
	is_int(report.rc, 0, "a path of 1 MiB: %s", report.err.text);
	ok(report.log.len > len && strstr(report.log.data, path), "is report whole");
	buf_release(&report.log);
	buf_clear(&archive);
	free(path);
}

static void test_callbacks(void)
{
	struct report report;

	archive_entry(&archive, "a", '5', "");
	archive_entry(&archive, "b", '5', "");
	read_archive(&report, 2000, -ECANCELED);
	is_int(report.rc, -ECANCELED, "what the callback says is what is returned");
	is_int(report.entries, 1, "and it is not called again");
	is_text(report.err.text, "", "without a sentence of the reader's");
	buf_release(&report.log);
	read_archive(&report, SCAN, -ECANCELED);
	is_int(report.rc, -ECANCELED, "the same of a scan");
	is_int(report.entries, 1, "which ends there");
	buf_release(&report.log);
	buf_clear(&archive);
}

static bool load(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	char piece[4096];
	size_t n;

	if (!f)
		return false;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		archive_add(out, piece, n);
	fclose(f);
	return true;
}

/* Archives of GNU tar, bsdtar and git, each with its expected report beside it. */
static void test_good_files(void)
{
	char path[PATH_MAX];
	struct buf log;
	glob_t g;
	size_t i;

	if (!ok(glob("tests/data/tar/good/*.tar", 0, NULL, &g) == 0,
		"there are good files"))
		return;
	archive_init(&log);
	for (i = 0; i < g.gl_pathc; i++) {
		snprintf(path, sizeof(path), "%.*s.txt", (int)strlen(g.gl_pathv[i]) - 4,
			 g.gl_pathv[i]);
		ok(load(path, &log), "%s", path);
		ok(load(g.gl_pathv[i], &archive), "%s", g.gl_pathv[i]);
		expect(g.gl_pathv[i], 0, buf_text(&log));
		buf_clear(&log);
	}
	globfree(&g);
	buf_release(&log);
}

/* Each breaks the rule that it is named after. */
static void test_bad_files(void)
{
	struct report report;
	glob_t g;
	size_t i;

	if (!ok(glob("tests/data/tar/bad/*.tar", 0, NULL, &g) == 0,
		"there are bad files"))
		return;
	for (i = 0; i < g.gl_pathc; i++) {
		ok(load(g.gl_pathv[i], &archive), "%s", g.gl_pathv[i]);
		read_archive(&report, archive.len, 0);
		ok(report.rc == -EBADMSG || report.rc == -E2BIG || report.rc == -ENOTSUP,
		   "is refused");
		buf_release(&report.log);
		expect(g.gl_pathv[i], report.rc, NULL);
	}
	globfree(&g);
}

int main(void)
{
	archive_init(&archive);
	test_plain();
	test_types();
	test_end();
	test_names();
	test_refusals();
	test_long();
	test_callbacks();
	test_good_files();
	test_bad_files();
	buf_release(&archive);
	return test_done();
}
