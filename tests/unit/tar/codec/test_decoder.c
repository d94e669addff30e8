/* SPDX-License-Identifier: MIT */
/*
 * The property: whatever made the layer, and however it is fed, a pass returns its
 * content, and each span returns its slice. Input that is cut short or damaged is
 * -EBADMSG, or does not matter.
 */
#include <unistd.h>

#include "tests/unit/tar/codec/passes.h"

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

/* @may_end: lengths at which the data may stop, because it is complete there. */
static void try_cuts(const char *name, const struct buf *b, size_t want_len,
		     const size_t *may_end, size_t n_ends)
{
	size_t cut, i, wrong = 0;
	int zlib;

	/* Shorter input is not recognised as gzip. */
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

/* If a pass succeeds, the content is right, or at least the spans agree with it. */
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

/* An error of a callback ends the pass and is its result. */
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

/* Most layers are made with Go's own compressor. */
static const char go_program[] = "package main\n"
				 "import (\"compress/gzip\"; \"io\"; \"os\")\n"
				 "func main() {\n"
				 "	w := gzip.NewWriter(os.Stdout)\n"
				 "	io.Copy(w, os.Stdin)\n"
				 "	w.Close()\n"
				 "}\n";

/* The output of the programs on this machine. */
static void test_programs(void)
{
	/* slow compressors get less */
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
}

int main(void)
{
	buf_init(&plain, MAKER_MAX);
	make_plain(&plain, PLAIN_LEN);
	test_names();
	test_plain();
	test_byte_by_byte();
	test_bomb();
	test_damage();
	test_callback();
	test_programs();
	buf_release(&plain);
	return test_done();
}
