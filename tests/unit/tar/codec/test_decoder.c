/* SPDX-License-Identifier: MIT */
/*
 * The property: whatever made the layer, and however it is fed, the pass gives its
 * content, and each span gives its slice. And: what is cut short or damaged is
 * -EBADMSG, or does not matter.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/makers.h"
#include "tests/unit/spans.h"
#include "tests/unit/test.h"

#define PLAIN_LEN (7u << 20)
#define SHORT_LEN 1700000

static struct buf plain;

/* Passes with both engines; @piece as for pass_run(). Gives the number of spans. */
static size_t check(const char *name, const void *in, size_t len, const void *want,
		    size_t want_len, long piece)
{
	size_t n_spans = 0;
	int zlib;

	for (zlib = 0; zlib < 2; zlib++) {
		struct pass p = {0};
		const char *wrong = NULL;

		if (zlib && compression_of(in, len) != COMPRESSION_GZIP)
			break;
		if (pass_run(&p, in, len, piece, zlib) < 0)
			wrong = p.err.text;
		else if (p.len != want_len || (want_len && memcmp(p.out, want, want_len)))
			wrong = "the output is wrong";
		else
			wrong = pass_check(&p, in, len);
		ok(!wrong, "%s%s: %zu to %zu bytes, %zu spans, windows %llu%s%s", name,
		   zlib ? " by zlib" : "", len, p.len, p.n_spans,
		   (unsigned long long)p.windows, wrong ? ": " : "", wrong ? wrong : "");
		n_spans = p.n_spans;
		pass_release(&p);
	}
	return n_spans;
}

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

static void test_plain(void)
{
	is_int(check("plain", plain.data, plain.len, plain.data, plain.len, -200000), 7,
	       "its spans");
	is_int(check("plain, a bit more", plain.data, SPAN_TARGET + 1, plain.data,
		     SPAN_TARGET + 1, 512),
	       2, "its spans");
	check("plain, 3 bytes", plain.data, 3, plain.data, 3, 1);
	is_int(check("no bytes at all", plain.data, 0, plain.data, 0, 1), 0, "its spans");
}

static void test_byte_by_byte(void)
{
	static const struct gzip_form gzip = {.level = 6, .member = 700000, .fields = 1};
	static const struct zstd_form zstd = {
		.level = 3, .frame = 700000, .skippable = 1};
	struct buf b;

	buf_init(&b, MAKER_MAX);
	make_gzip(&b, plain.data, 2000000, &gzip);
	check("gzip byte by byte", b.data, b.len, plain.data, 2000000, 1);
	buf_clear(&b);
	make_zstd(&b, plain.data, 2000000, &zstd);
	check("zstd byte by byte", b.data, b.len, plain.data, 2000000, 1);
	buf_release(&b);
}

/* Zeros: 4 MB and more in one block, and few compressed bytes. */
static void test_bomb(void)
{
	static const struct gzip_form gzip = {.level = 9};
	static const struct zstd_form zstd = {.level = 3};
	size_t len = 40u << 20;
	uint8_t *zeros = need(calloc(1, len));
	struct buf b;

	buf_init(&b, MAKER_MAX);
	make_gzip(&b, zeros, len, &gzip);
	ok(check("zeros", b.data, b.len, zeros, len, -1000) >= 5,
	   "zeros have several spans");
	buf_clear(&b);
	make_zstd(&b, zeros, len, &zstd);
	ok(check("zeros by zstd", b.data, b.len, zeros, len, -1000) == 40, "and parts");
	buf_release(&b);
	free(zeros);
}

/* Blocks that hold nothing, more of them than input is kept: the window stays whole. */
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
	maker_append(&b, "x", 1);
	for (i = 0; i < 2; i++) {
		struct pass p = {0};

		is_int(pass_run(&p, b.data, b.len, 1 << 30, (int)i), -EBADMSG,
		       "junk behind padding");
		pass_release(&p);
	}
	buf_release(&b);
}

/* @may_end: lengths at which the data may stop, for it is whole there. */
static void try_cuts(const char *name, const struct buf *b, size_t want_len,
		     const size_t *may_end, size_t n_ends)
{
	size_t cut, i, wrong = 0;
	int zlib;

	/* What is shorter is no gzip yet. */
	for (cut = 4; cut < b->len; cut += cut < 300 || b->len - cut < 300 ? 1 : 101) {
		bool whole = false;

		for (i = 0; i < n_ends; i++)
			whole = whole || may_end[i] == cut;
		for (zlib = 0; zlib < 2; zlib++) {
			struct pass p = {0};

			if (zlib && compression_of(b->data, b->len) != COMPRESSION_GZIP)
				break;
			pass_run(&p, b->data, cut, -500, zlib);
			if (p.rc != (whole ? 0 : -EBADMSG) || p.len > want_len)
				wrong++;
			pass_release(&p);
		}
	}
	is_int(wrong, 0, "%s: cut anywhere it is -EBADMSG", name);
}

/* What passes all checks has the right content, or at least spans that agree with it. */
static void try_flips(const char *name, const struct buf *b, const void *want,
		      size_t want_len)
{
	size_t at, accepted = 0, wrong = 0;
	int zlib;

	for (at = 0; at < b->len; at += at < 300 || b->len - at < 50 ? 1 : 41) {
		b->data[at] ^= (char)(1 << (at % 8));
		for (zlib = 0; zlib < 2; zlib++) {
			struct pass p = {0};

			if (zlib && compression_of(b->data, b->len) != COMPRESSION_GZIP)
				break;
			pass_run(&p, b->data, b->len, -500, zlib);
			if (p.rc == 0 &&
			    compression_of(b->data, b->len) != COMPRESSION_PLAIN) {
				accepted++;
				if (p.len != want_len || memcmp(p.out, want, want_len))
					wrong++;
				else if (pass_check(&p, b->data, b->len))
					wrong++;
			} else if (p.rc != 0 && p.rc != -EBADMSG && p.rc != -E2BIG &&
				   p.rc != -ENOTSUP) {
				wrong++;
			}
			pass_release(&p);
		}
		b->data[at] ^= (char)(1 << (at % 8));
	}
	is_int(wrong, 0, "%s: a flipped bit is found or harmless (%zu were harmless)",
	       name, accepted);
}

static void test_damage(void)
{
	static const struct gzip_form gzip[] = {
		{.level = 6, .fields = 1},
		{.level = 0},
		{.level = 6, .strategy = Z_FIXED},
	};
	static const struct zstd_form zstd = {.level = 3, .checksum = 1, .is_stream = 1};
	struct buf b;
	size_t i, end;

	buf_init(&b, MAKER_MAX);
	for (i = 0; i < 3; i++) {
		buf_clear(&b);
		make_gzip(&b, plain.data + 60000, 20000, &gzip[i]);
		try_cuts("gzip", &b, 20000, NULL, 0);
		try_flips("gzip", &b, plain.data + 60000, 20000);
	}
	buf_clear(&b);
	make_gzip(&b, plain.data, 3000, &gzip[0]);
	end = b.len;
	make_gzip(&b, plain.data + 3000, 3000, &gzip[0]);
	try_cuts("two members", &b, 6000, &end, 1);
	buf_clear(&b);
	make_zstd(&b, plain.data + 60000, 20000, &zstd);
	end = b.len;
	make_skippable(&b);
	try_cuts("zstd", &b, 20000, &end, 1);
	try_flips("zstd", &b, plain.data + 60000, 20000);
	buf_release(&b);
}

/* A frame that wants 256 MiB of history; and one that wants a dictionary. */
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
	/* frames of the library's own past, which it still reads */
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

/* What a callback gives back ends the pass and is its result. */
static void test_callback(void)
{
	static const struct gzip_form gzip = {.level = 1};
	static const struct zstd_form zstd = {.level = 1};
	struct buf b;
	int i;

	buf_init(&b, MAKER_MAX);
	for (i = 0; i < 4; i++) {
		struct pass p = {.max = 300000};

		buf_clear(&b);
		if (i < 2)
			make_gzip(&b, plain.data, PLAIN_LEN, &gzip);
		else if (i == 2)
			make_zstd(&b, plain.data, PLAIN_LEN, &zstd);
		else
			maker_append(&b, plain.data, PLAIN_LEN);
		is_int(pass_run(&p, b.data, b.len, 100000, i == 1), -EFBIG,
		       "the output is refused");
		pass_release(&p);
		p = (struct pass){.max_spans = 1};
		is_int(pass_run(&p, b.data, b.len, 100000, i == 1), -ENOSPC,
		       "a span is refused");
		pass_release(&p);
	}
	buf_release(&b);
}

static void read_file(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "rb");
	char chunk[65536];
	size_t n;

	while (f && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		maker_append(b, chunk, n);
	if (f)
		fclose(f);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		exit(1);
}

/* What most layers are made with: Go's own compressor. */
static const char go_program[] = "package main\n"
				 "import (\"compress/gzip\"; \"io\"; \"os\")\n"
				 "func main() {\n"
				 "	w := gzip.NewWriter(os.Stdout)\n"
				 "	io.Copy(w, os.Stdin)\n"
				 "	w.Close()\n"
				 "}\n";

/* What the programs of this machine make. */
static void test_programs(void)
{
	/* what takes long to compress gets less */
	static const struct {
		const char *program, *command;
		size_t len;
	} rows[] = {
		{"gzip", "gzip -6 <$f", SHORT_LEN},
		{"pigz", "pigz -p 3 <$f", SHORT_LEN},
		{"pigz", "pigz -i -p 3 <$f", SHORT_LEN},
		{"pigz", "pigz -11 -I 1 -p 1 <$f", 400000},
		{"zopfli", "zopfli --i1 -c $f", 400000},
		{"igzip", "igzip -0 -c $f", SHORT_LEN},
		{"igzip", "igzip -1 -c $f", SHORT_LEN},
		{"igzip", "igzip -3 -c $f", SHORT_LEN},
		{"libdeflate-gzip", "libdeflate-gzip -12 -c $f", SHORT_LEN},
		{"bgzip", "bgzip -c $f", SHORT_LEN},
		{"7z", "7z a -tgzip -so x $f", SHORT_LEN},
		{"go", "go run $f.go <$f", SHORT_LEN},
		{"zstd", "zstd -q -3 -c $f", SHORT_LEN},
		{"zstd", "zstd -q --long=27 -T2 -c $f", SHORT_LEN},
		{"pzstd", "pzstd -q -p 3 -c $f", SHORT_LEN},
	};
	char name[] = "/tmp/peelfs-decoder-XXXXXX", out[64], command[256];
	int fd = mkstemp(name);
	size_t i;

	if (fd < 0)
		exit(1);
	snprintf(out, sizeof(out), "%s.go", name);
	write_file(out, go_program);
	snprintf(out, sizeof(out), "%s.out", name);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = rows[i].len;
		struct buf b;

		snprintf(command, sizeof(command), "command -v %s >/dev/null",
			 rows[i].program);
		if (system(command) != 0) {
			ok(true, "%s # SKIP it is not here", rows[i].program);
			continue;
		}
		snprintf(command, sizeof(command), "f=%s; (%s) >%s 2>/dev/null", name,
			 rows[i].command, out);
		if (ftruncate(fd, 0) < 0 ||
		    pwrite(fd, plain.data, len, 0) != (ssize_t)len)
			exit(1);
		buf_init(&b, MAKER_MAX);
		if (!ok(system(command) == 0, "%s ran", rows[i].command))
			continue;
		read_file(out, &b);
		check(rows[i].command, b.data, b.len, plain.data, len, -100000);
		buf_release(&b);
	}
	close(fd);
	unlink(name);
	unlink(out);
	snprintf(out, sizeof(out), "%s.go", name);
	unlink(out);
}

static void test_names(void)
{
	is_int(compression_of("\x1f\x8b\x08\x00", 4), COMPRESSION_GZIP, "gzip is told");
	is_int(compression_of("\x28\xb5\x2f\xfd", 4), COMPRESSION_ZSTD, "zstd is told");
	is_int(compression_of("\x5e\x2a\x4d\x18", 4), COMPRESSION_ZSTD,
	       "a skippable frame is told");
	is_int(compression_of("etc/", 4), COMPRESSION_PLAIN, "anything else is plain");
	is_int(compression_of("\x1f", 1), COMPRESSION_PLAIN, "and what is too short");
	is_text(compression_name(COMPRESSION_GZIP), "gzip", "it has a name");
}

int main(void)
{
	buf_init(&plain, MAKER_MAX);
	make_plain(&plain, PLAIN_LEN);
	test_names();
	test_gzip();
	test_zstd();
	test_zstd_mixed();
	test_plain();
	test_byte_by_byte();
	test_bomb();
	test_empty_blocks();
	test_padding();
	test_damage();
	test_zstd_refused();
	test_callback();
	test_programs();
	buf_release(&plain);
	return test_done();
}
