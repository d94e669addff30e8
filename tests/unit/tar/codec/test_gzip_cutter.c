/* SPDX-License-Identifier: MIT */
/* Spans of gzip: members, blocks, empty blocks, padding. */
#include "tests/unit/tar/codec/passes.h"

static void test_gzip(void)
{
	static const struct {
		const char *name;
		struct gzip_form form;
		size_t len;
	} rows[] = {
		{"gzip -1", {.level = 1}, PLAIN_LEN},
		{"gzip -6", {.level = 6}, SHORT_LEN},
		{"gzip -9", {.level = 9}, SHORT_LEN},
		{"stored blocks", {.level = 0}, SHORT_LEN},
		{"fixed blocks", {.level = 6, .strategy = Z_FIXED}, SHORT_LEN},
		{"huffman only", {.level = 6, .strategy = Z_HUFFMAN_ONLY}, SHORT_LEN},
		{"run lengths", {.level = 6, .strategy = Z_RLE}, SHORT_LEN},
		{"full flushes",
		 {.level = 3, .flush_every = 50000, .flush = Z_FULL_FLUSH},
		 SHORT_LEN},
		{"sync flushes",
		 {.level = 3, .flush_every = 131072, .flush = Z_SYNC_FLUSH},
		 SHORT_LEN},
		{"tiny flushes",
		 {.level = 3, .flush_every = 700, .flush = Z_SYNC_FLUSH},
		 SHORT_LEN},
		{"partial flushes",
		 {.level = 3, .flush_every = 9000, .flush = Z_PARTIAL_FLUSH},
		 SHORT_LEN},
		{"fixed, flushed",
		 {.level = 3,
		  .strategy = Z_FIXED,
		  .flush_every = 999,
		  .flush = Z_PARTIAL_FLUSH},
		 SHORT_LEN},
		{"block flushes",
		 {.level = 3, .flush_every = 5000, .flush = Z_BLOCK},
		 SHORT_LEN},
		{"members of 64 KiB",
		 {.level = 3, .member = 65280, .fields = 1},
		 SHORT_LEN},
		{"members of 1.1 MB", {.level = 3, .member = 1100000}, SHORT_LEN},
		{"members of 100 bytes", {.level = 6, .member = 100}, 300000},
		{"all header fields", {.level = 6, .fields = 1}, 100000},
		{"exactly a target", {.level = 3}, SPAN_TARGET},
		{"members of a target",
		 {.level = 3, .member = SPAN_TARGET},
		 3 * SPAN_TARGET},
		{"one byte", {.level = 6}, 1},
		{"nothing", {.level = 6}, 0},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b;

		buf_init(&b, MAKER_MAX);
		make_gzip(&b, plain.data, rows[i].len, &rows[i].form);
		check(rows[i].name, b.data, b.len, plain.data, rows[i].len, 1 << 30);
		check(rows[i].name, b.data, b.len, plain.data, rows[i].len,
		      i % 2 ? -300 : -90000);
		buf_release(&b);
	}
}

/* More empty blocks than input is kept: the window is not stripped. */
static void test_empty_blocks(void)
{
	static const struct gzip_form form = {.level = 6};
	static const uint8_t empty[] = {0, 0, 0, 0xff, 0xff};
	static const uint8_t begin[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
	size_t len = SPAN_TARGET + 200000, i;
	struct buf member, b;
	z_stream s = {0};
	uint8_t out[4096];

	buf_init(&member, MAKER_MAX);
	buf_init(&b, MAKER_MAX);
	maker_append(&b, begin, sizeof(begin));
	deflateInit2(&s, 6, Z_DEFLATED, -15, 8, 0);
	s.next_in = (Bytef *)plain.data;
	s.avail_in = SPAN_TARGET + 1000;
	for (i = 0; i < 2; i++) {
		do {
			s.next_out = out;
			s.avail_out = sizeof(out);
			deflate(&s, i ? Z_FINISH : Z_SYNC_FLUSH);
			maker_append(&b, out, sizeof(out) - s.avail_out);
		} while (s.avail_out == 0);
		if (i == 0) {
			size_t k;

			for (k = 0; k < 200000; k++)
				maker_append(&b, empty, sizeof(empty));
			s.avail_in = (uInt)(len - SPAN_TARGET - 1000);
		}
	}
	deflateEnd(&s);
	make_gzip(&member, plain.data, len, &form);
	maker_append(&b, member.data + member.len - 8, 8);
	check("a million empty bytes", b.data, b.len, plain.data, len, -70000);
	buf_release(&member);
	buf_release(&b);
}

/* Empty members everywhere, and padding. */
static void test_padding(void)
{
	static const struct gzip_form form = {.level = 3};
	struct buf b;
	size_t i;

	buf_init(&b, MAKER_MAX);
	make_gzip(&b, "", 0, &form);
	make_gzip(&b, plain.data, 2000000, &form);
	for (i = 0; i < 1000; i++)
		make_gzip(&b, "", 0, &form);
	make_gzip(&b, plain.data + 2000000, 2000000, &form);
	make_gzip(&b, "", 0, &form);
	check("empty members", b.data, b.len, plain.data, 4000000, -5000);
	for (i = 0; i < 300000; i++)
		maker_append(&b, "\0\0\0", 3);
	check("padding", b.data, b.len, plain.data, 4000000, -5000);
	maker_append(&b, "x\x1f\x8b", 3);
	check("junk behind padding", b.data, b.len, plain.data, 4000000, -5000);
	buf_release(&b);
}

int main(void)
{
	buf_init(&plain, MAKER_MAX);
	make_plain(&plain, PLAIN_LEN);
	test_gzip();
	test_empty_blocks();
	test_padding();
	buf_release(&plain);
	return test_done();
}
