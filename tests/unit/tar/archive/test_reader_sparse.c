/* SPDX-License-Identifier: MIT */
/* Sparse files in each of GNU's forms. */
#include "tests/unit/tar/archive/report.h"

static void gnu_header(uint8_t *h, const char *name, unsigned size, unsigned real)
{
	header_make(h, name, 'S', size);
	header_gnu(h);
	header_octal(h, AT_REALSIZE, real);
}

static void test_gnu_sparse(void)
{
	uint8_t h[HEADER_SIZE];
	unsigned i;

	gnu_header(h, "s", 5, 1000);
	header_octal(h, 386, 12, 10);
	header_octal(h, 398, 12, 2);
	header_octal(h, 410, 12, 900);
	header_octal(h, 422, 12, 3);
	header_octal(h, 434, 12, 1000);
	header_octal(h, 446, 12, 0);
	archive_header(&archive, h);
	archive_content(&archive, "abcde", 5);
	archive_entry(&archive, "next", '5', "");
	expect("old GNU", 0,
	       "-0644 0:0 0 s size 1000 sparse 10+2 900+3 at 512: abcde\nd0644 0:0 0 next\n");

	add_long('L', "long", 4);
	gnu_header(h, "s", 6, 1000);
	for (i = 0; i < 4; i++) {
		header_octal(h, 386 + 24 * i, 12, 10 * i);
		header_octal(h, 398 + 24 * i, 12, 1);
	}
	h[482] = 1;
	archive_header(&archive, h);
	memset(h, 0, sizeof(h));
	header_octal(h, 0, 12, 100);
	header_octal(h, 12, 12, 1);
	h[504] = 1;
	archive_add(&archive, h, sizeof(h));
	header_octal(h, 0, 12, 200);
	h[504] = 0;
	archive_add(&archive, h, sizeof(h));
	archive_content(&archive, "abcdef", 6);
	archive_entry(&archive, "next", '5', "");
	expect("old GNU, continued", 0,
	       "-0644 0:0 0 long size 1000 sparse 0+1 10+1 20+1 30+1 100+1 200+1 at 2560: abcdef\n"
	       "d0644 0:0 0 next\n");

	gnu_header(h, "hole", 0, 1 << 20);
	archive_header(&archive, h);
	expect("nothing but a hole", 0, "-0644 0:0 0 hole size 1048576 sparse\n");

	gnu_header(h, "s", 5, 1000);
	archive_header(&archive, h);
	expect_sentence("content and no map", -EBADMSG,
			"\"s\" at byte 0: the sparse map has");
	gnu_header(h, "s", 0, 1000);
	h[482] = 1;
	archive_header(&archive, h);
	expect_sentence("cut in the map", -EBADMSG, "ends inside");
	gnu_header(h, "s", 0, 0);
	h[483] = 'x';
	archive_header(&archive, h);
	expect_sentence("no real size", -EBADMSG, "is not a number");
	header_make(h, "s", 'S', 0);
	archive_header(&archive, h);
	expect_sentence("star's", -ENOTSUP, "star");
}

/* A pax header with up to four records, given as "key=value". */
static void add_records(const char *a, const char *b, const char *c, const char *d)
{
	const char *const all[] = {a, b, c, d};
	struct buf body;
	size_t i;

	archive_init(&body);
	for (i = 0; i < 4; i++) {
		char key[64] = "";
		const char *equals = all[i] ? strchr(all[i], '=') : NULL;

		if (equals) {
			memcpy(key, all[i], (size_t)(equals - all[i]));
			pax_add_text(&body, key, equals + 1);
		}
	}
	archive_meta(&archive, 'x', &body);
	buf_release(&body);
}

static void test_pax_sparse(void)
{
	static const char real[] = "GNU.sparse.name=real",
			  in10[] = "GNU.sparse.realsize=100";
	static const char one[] = "GNU.sparse.major=1", zero[] = "GNU.sparse.minor=0";
	uint8_t h[HEADER_SIZE];

	add_records("GNU.sparse.size=100", "GNU.sparse.map=10,2,90,3,100,0", real, NULL);
	archive_entry(&archive, "GNUSparseFile.1/real", '0', "abcde");
	archive_entry(&archive, "next", '5', "");
	expect("0.1", 0,
	       "-0644 0:0 0 real size 100 sparse 10+2 90+3 at 1536: abcde\n"
	       "d0644 0:0 0 next\n");

	add_records("GNU.sparse.size=100", "GNU.sparse.offset=10",
		    "GNU.sparse.numbytes=5", NULL);
	archive_entry(&archive, "real", '0', "abcde");
	expect("0.0", 0, "-0644 0:0 0 real size 100 sparse 10+5 at 1536: abcde\n");

	add_records(one, zero, real, in10);
	header_make(h, "GNUSparseFile.1/real", '0', 517);
	archive_header(&archive, h);
	archive_content(&archive, "2\n10\n2\n90\n3\n", 12);
	archive_content(&archive, "abcde", 5);
	archive_entry(&archive, "next", '5', "");
	expect("1.0", 0,
	       "-0644 0:0 0 real size 100 sparse 10+2 90+3 at 2048: abcde\n"
	       "d0644 0:0 0 next\n");

	add_records(one, zero, NULL, in10);
	header_make(h, "hole", '0', 512);
	archive_header(&archive, h);
	archive_content(&archive, "1\n100\n0\n", 8);
	archive_entry(&archive, "next", '5', "");
	expect("1.0, a hole", 0, "-0644 0:0 0 hole size 100 sparse\nd0644 0:0 0 next\n");

	add_records(one, zero, NULL, in10);
	archive_entry(&archive, "s", '0', "1\n0\n4\n");
	expect_sentence("1.0, no room for the map", -EBADMSG, "inside its sparse map");
	add_records(one, zero, NULL, in10);
	header_make(h, "s", '0', 600);
	archive_header(&archive, h);
	archive_zeros(&archive, 1024);
	expect_sentence("1.0, no map", -EBADMSG, "not a number");
	add_records(one, zero, NULL, NULL);
	archive_entry(&archive, "s", '0', "");
	expect_sentence("1.0, no size", -EBADMSG, "no size");
	add_records("GNU.sparse.size=10", "GNU.sparse.map=8,4", NULL, NULL);
	archive_entry(&archive, "s", '0', "abcd");
	expect_sentence("beyond the size", -EBADMSG,
			"\"s\" at byte 1024: the sparse map goes beyond");
	add_records("GNU.sparse.major=2", "GNU.sparse.realsize=5", NULL, NULL);
	archive_entry(&archive, "s", '0', "abcd");
	expect_sentence("2.0", -ENOTSUP, "format 2.0");
	add_records(one, "GNU.sparse.minor=1", NULL, NULL);
	archive_entry(&archive, "s", '0', "abcd");
	expect_sentence("1.1", -ENOTSUP, "format 1.1");
	add_records("SUN.holesdata= 0 10", NULL, NULL, NULL);
	archive_entry(&archive, "s", '0', "abcd");
	expect_sentence("Solaris'", -ENOTSUP, "Solaris");
	add_records("GNU.sparse.size=10", "GNU.sparse.map=8,4", NULL, NULL);
	archive_entry(&archive, "d", '5', "");
	expect("no file", 0, "d0644 0:0 0 d\n");
	add_records("GNU.sparse.size=10", real, NULL, NULL);
	archive_entry(&archive, "s", '0', "abcd");
	expect("a size and no map", 0, "-0644 0:0 0 s size 4 at 1536: abcd\n");
	add_records("GNU.sparse.size=10", "GNU.sparse.map=10,0", "GNU.sparse.name=s/",
		    NULL);
	archive_entry(&archive, "s", '0', "");
	expect("no folder", 0, "-0644 0:0 0 s/ size 10 sparse\n");
}

int main(void)
{
	archive_init(&archive);
	test_gnu_sparse();
	test_pax_sparse();
	buf_release(&archive);
	return test_done();
}
