/* SPDX-License-Identifier: MIT */
/* Spans of zstd: short and long frames, skippable ones, refused ones. */
#include "tests/unit/tar/codec/passes.h"

static void test_zstd(void)
{
	static const struct {
		const char *name;
		struct zstd_form form;
		size_t len, min_spans, max_spans;
	} rows[] = {
		{"zstd", {.level = 3}, PLAIN_LEN, 7, 7},
		{"zstd, size unknown",
		 {.level = 3, .is_stream = 1, .checksum = 1},
		 PLAIN_LEN,
		 7,
		 7},
		{"zstd --long=27",
		 {.level = 1, .window_log = 27, .is_stream = 1},
		 PLAIN_LEN,
		 7,
		 7},
		{"zstd -9", {.level = 9, .checksum = 1}, 3u << 20, 1, 1},
		{"frames of 64 KiB",
		 {.level = 3, .frame = 65536, .checksum = 1},
		 PLAIN_LEN,
		 7,
		 7},
		{"frames of 100 bytes", {.level = 3, .frame = 100}, 400000, 1, 1},
		{"frames of 3 MB", {.level = 3, .frame = 3000000}, PLAIN_LEN, 3, 3},
		{"frames of 5 MB", {.level = 3, .frame = 5000000}, PLAIN_LEN, 6, 6},
		{"frames of 4 MiB", {.level = 3, .frame = 4u << 20}, PLAIN_LEN, 2, 2},
		{"skippable frames",
		 {.level = 3, .frame = 700000, .skippable = 1},
		 PLAIN_LEN,
		 6,
		 6},
		{"skippable, long", {.level = 3, .skippable = 1}, PLAIN_LEN, 7, 7},
		{"zstd, nothing", {.level = 3, .skippable = 1}, 0, 0, 0},
		{"zstd, one byte", {.level = 3}, 1, 1, 1},
	};
	size_t i, n;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b;

		buf_init(&b, MAKER_MAX);
		make_zstd(&b, plain.data, rows[i].len, &rows[i].form);
		n = check(rows[i].name, b.data, b.len, plain.data, rows[i].len, 1 << 30);
		ok(n >= rows[i].min_spans && n <= rows[i].max_spans, "%s: %zu spans",
		   rows[i].name, n);
		check(rows[i].name, b.data, b.len, plain.data, rows[i].len,
		      i % 2 ? -300 : -90000);
		buf_release(&b);
	}
}

/* A short frame, a long one, a short one: three kinds of span side by side. */
static void test_zstd_mixed(void)
{
	static const struct zstd_form form = {.level = 3};
	size_t at[] = {0, 100000, 900000, 6500000, 6500001, PLAIN_LEN}, i;
	struct buf b;

	buf_init(&b, MAKER_MAX);
	for (i = 0; i + 1 < sizeof(at) / sizeof(at[0]); i++)
		make_frame(&b, plain.data + at[i], at[i + 1] - at[i], &form);
	/* 1, then 6 parts, then 1 */
	is_int(check("long between short", b.data, b.len, plain.data, PLAIN_LEN, -5000),
	       8, "its spans");
	buf_release(&b);
}

/* A frame that needs 256 MiB of history, and one that needs a dictionary. */
static void test_zstd_refused(void)
{
	static const struct {
		const char *what;
		uint8_t frame[9];
		int rc;
	} rows[] = {
		{"a window of 256 MiB",
		 {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x90, 0x01, 0, 0},
		 -E2BIG},
		{"a window of 128 MiB",
		 {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0, 0},
		 0},
		{"a dictionary",
		 {0x28, 0xb5, 0x2f, 0xfd, 0x01, 0x00, 0x07, 1, 0},
		 -ENOTSUP},
		{"a reserved bit",
		 {0x28, 0xb5, 0x2f, 0xfd, 0x08, 0x00, 0x01, 0, 0},
		 -EBADMSG},
		{"a reserved block",
		 {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, 0x07, 0, 0},
		 -EBADMSG},
	};
	/* frames of the library's old formats, which it still decodes */
	static const uint8_t old[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, 0x01,
				      0,    0,	  0x27, 0xb5, 0x2f, 0xfd};
	struct pass p = {0};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_int(pass_run(&p, rows[i].frame, 9, 1, 0), rows[i].rc, "%s: %s",
		       rows[i].what, p.err.text);
		pass_release(&p);
	}
	is_int(pass_run(&p, old, sizeof(old), 100, 0), -EBADMSG, "%s", p.err.text);
	pass_release(&p);
}

int main(void)
{
	buf_init(&plain, MAKER_MAX);
	make_plain(&plain, PLAIN_LEN);
	test_zstd();
	test_zstd_mixed();
	test_zstd_refused();
	buf_release(&plain);
	return test_done();
}
