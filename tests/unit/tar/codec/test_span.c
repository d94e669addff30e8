/* SPDX-License-Identifier: MIT */
/* Synthetic, wrong and hostile spans; the good ones are in test_decoder.c. */
#include <errno.h>

#include "base/digest.h"
#include "tar/codec/checksum.h"
#include "tests/unit/makers.h"
#include "tests/unit/spans.h"
#include "tests/unit/test.h"

static struct buf plain;

static void set_digest(struct span *sp, const void *data, size_t len)
{
	struct digest d;

	if (digest_of(DIGEST_SHA256, data, len, &d) < 0)
		exit(1);
	memcpy(sp->digest, d.bytes, sizeof(sp->digest));
}

static int load(const struct span *sp, const struct buf *b, uint8_t *out)
{
	struct source *blob = NULL;
	int rc;

	if (source_memory(b->data, b->len, &blob) < 0)
		exit(1);
	rc = span_load(sp, blob, out, NULL);
	source_unref(blob);
	return rc;
}

static void test_sane(void)
{
	static const struct span good = {.kind = SPAN_DEFLATE,
					 .bits = 3,
					 .in = 10,
					 .in_len = 90,
					 .out = 1000,
					 .out_len = 500,
					 .window = "x",
					 .window_len = 1};
	static const struct span plain_good = {
		.kind = SPAN_PLAIN, .in_len = 100, .out_len = 100};
	struct span sp = good;

	ok(span_is_sane(&good, 100), "a good one");
	ok(!span_is_sane(&good, 99), "longer than the layer");
	ok(span_is_sane(&plain_good, 100), "a good plain one");
#define BAD(base, change, what)                    \
	do {                                       \
		sp = base;                         \
		change;                            \
		ok(!span_is_sane(&sp, 100), what); \
	} while (0)
	BAD(good, sp.bits = 8, "8 bits");
	BAD(good, sp.kind = (enum span_kind)4, "an unknown kind");
	BAD(good, sp.kind = SPAN_GZIP; sp.window = NULL;
	    sp.window_len = 0, "bits before a member");
	BAD(good, sp.bits = 0; sp.kind = SPAN_ZSTD, "a window before a frame");
	BAD(good, sp.window = NULL, "a window that is missing");
	BAD(good, sp.in_len = 0, "no input");
	BAD(good, sp.in = UINT64_MAX, "input that wraps");
	BAD(good, sp.in_len = UINT64_MAX, "too much input");
	BAD(good, sp.out_len = 0, "no output");
	BAD(good, sp.out_len = SPAN_OUT_MAX + 1ull, "too much output");
	BAD(good, sp.out = UINT64_MAX - 3, "output that wraps");
	BAD(good, sp.skip = 1001, "a skip from before the layer");
	BAD(plain_good, sp.out_len = 99, "plain, with two lengths");
	BAD(plain_good, sp.skip = 1; sp.out = 1, "plain, with a skip");
}

/* A chunk inside a member, as eStargz has them: from the member's start, some skipped. */
static void test_chunk(void)
{
	static const struct gzip_form gzip = {.level = 6};
	static const struct zstd_form zstd = {.level = 3};
	struct span sp = {.digest_is_of_output = true, .out = 5000000, .out_len = 200000};
	uint8_t *out = need(malloc(200000));
	struct buf b;
	int i;

	buf_init(&b, MAKER_MAX);
	for (i = 0; i < 2; i++) {
		buf_clear(&b);
		maker_append(&b, "something before", 16);
		if (i)
			make_zstd(&b, plain.data, 700000, &zstd);
		else
			make_gzip(&b, plain.data, 700000, &gzip);
		sp.kind = i ? SPAN_ZSTD : SPAN_GZIP;
		sp.in = 16;
		sp.in_len = b.len - 16;
		sp.skip = 300001;
		set_digest(&sp, plain.data + 300001, 200000);
		ok(load(&sp, &b, out) == 0 &&
			   memcmp(out, plain.data + 300001, 200000) == 0,
		   "a chunk inside %s", i ? "a frame" : "a member");
		sp.skip++;
		is_int(load(&sp, &b, out), -EBADMSG, "another chunk has another digest");
		sp.skip = 600000;
		is_int(load(&sp, &b, out), -EBADMSG, "a chunk past the end");
		sp.skip = 300001;
		sp.in_len /= 3;
		is_int(load(&sp, &b, out), -EBADMSG, "too little input");
	}
	buf_release(&b);
	free(out);
}

/* More than one fetch; with a skip, read as a stream. */
static void test_large(void)
{
	static const struct zstd_form zstd = {.level = -5};
	size_t len = 20u << 20, i;
	uint8_t *random = need(malloc(len)), *out = need(malloc(len));
	struct span sp = {.kind = SPAN_ZSTD, .digest_is_of_output = true};
	struct buf b;

	for (i = 0; i < len; i++)
		random[i] = (uint8_t)random_next();
	buf_init(&b, MAKER_MAX);
	make_zstd(&b, random, len, &zstd);
	sp.in_len = b.len;
	sp.out_len = len;
	set_digest(&sp, random, len);
	ok(load(&sp, &b, out) == 0 && memcmp(out, random, len) == 0,
	   "20 MiB in one span");
	sp.digest_is_of_output = false;
	set_digest(&sp, b.data, b.len);
	is_int(load(&sp, &b, out), 0, "by its compressed bytes");
	sp.digest[5] ^= 1;
	is_int(load(&sp, &b, out), -EBADMSG, "which are others");
	sp.digest_is_of_output = true;
	sp.skip = sp.out = len - 1000000;
	sp.out_len = 1000000;
	set_digest(&sp, random + sp.skip, 1000000);
	ok(load(&sp, &b, out) == 0 && memcmp(out, random + sp.skip, 1000000) == 0,
	   "the end of a long frame, as a stream");
	sp.in_len -= 5000;
	is_int(load(&sp, &b, out), -EBADMSG, "cut short");
	buf_release(&b);
	free(random);
	free(out);
}

/* Every field of a good span changed: the result is an error or the same bytes. */
static void test_changed(void)
{
	static const struct gzip_form gzip = {.level = 6};
	struct pass p = {0};
	uint8_t *out = need(malloc(SPAN_TARGET * 2));
	const struct span *good;
	struct span sp;
	struct buf b;
	size_t i, wrong = 0;
	char *window;

	buf_init(&b, MAKER_MAX);
	make_gzip(&b, plain.data, plain.len, &gzip);
	if (pass_run(&p, b.data, b.len, 1 << 30, 0) < 0 || p.n_spans < 3)
		exit(1);
	good = &p.spans[1];
	is_int(load(good, &b, out), 0, "the span is good");
	ok(good->kind == SPAN_DEFLATE && good->window_len > 0, "it has a window");
#define CHANGED(change, what)                               \
	do {                                                \
		sp = *good;                                 \
		change;                                     \
		is_int(load(&sp, &b, out), -EBADMSG, what); \
	} while (0)
	CHANGED(sp.in++, "another place");
	CHANGED(sp.in_len--, "a shorter one");
	CHANGED(sp.bits ^= 1, "other bits");
	CHANGED(sp.out_len--, "less output, another checksum");
	CHANGED(sp.out_len++, "more output");
	CHANGED(sp.digest[0] ^= 1, "another digest");
	CHANGED(sp.crc ^= 1, "another checksum");
	CHANGED(sp.window_len--, "a shorter window");
	CHANGED(sp.window = NULL; sp.window_len = 0, "no window");
	CHANGED(sp.kind = SPAN_GZIP; sp.bits = 0; sp.window = NULL;
		sp.window_len = 0, "another kind");
	CHANGED(sp.skip = 1, "a skip");
	window = need(malloc(good->window_len));
	memcpy(window, good->window, good->window_len);
	for (i = 0; i < good->window_len; i += 7) {
		window[i] ^= 4;
		sp = *good;
		sp.window = window;
		if (load(&sp, &b, out) != -EBADMSG)
			wrong++;
		window[i] ^= 4;
	}
	is_int(wrong, 0, "a damaged window is found");
	b.data[good->in + 100] ^= 1;
	is_int(load(good, &b, out), -EBADMSG, "damaged bytes are found");
	free(window);
	free(out);
	buf_release(&b);
	pass_release(&p);
}

static ssize_t pread_fails(struct source *s, void *buf, size_t len, uint64_t off,
			   struct err *e)
{
	(void)s;
	(void)buf;
	(void)len;
	(void)off;
	return err_set(e, -EIO, "no network");
}

static void release_nothing(struct source *s)
{
	(void)s;
}

static void test_source_fails(void)
{
	static const struct source_ops ops = {.pread = pread_fails,
					      .release = release_nothing};
	struct span sp = {.in_len = 50u << 20, .out = 100, .out_len = 100};
	struct source s;
	uint8_t out[100];
	struct err e;
	int kind;

	source_init(&s, &ops, 50u << 20);
	for (kind = SPAN_PLAIN; kind <= SPAN_ZSTD; kind++) {
		sp.kind = (enum span_kind)kind;
		sp.in_len = kind == SPAN_PLAIN ? 100 : 50u << 20;
		sp.skip = kind == SPAN_ZSTD ? 100 : 0;
		is_int(span_load(&sp, &s, out, &e), -EIO,
		       "the source's error comes back");
		is_text(e.text, "no network", "and its sentence");
	}
}

struct parts {
	const struct pass *pass;
	size_t n;
	bool wrong;
};

static int take_part(void *arg, size_t i, const void *out)
{
	struct parts *p = arg;
	const struct span *sp = &p->pass->spans[i];

	p->wrong |= i != p->n++ ||
		    memcmp(out, p->pass->out + sp->out, (size_t)sp->out_len) != 0;
	return 0;
}

/*
 * Each part of a long frame needs more input than the part before; one decoding gives
 * all.
 */
static void test_parts(size_t len, const char *what)
{
	static const struct zstd_form zstd = {.level = 1};
	uint8_t *random = need(malloc(len));
	struct source *blob = NULL;
	struct pass pass = {0};
	struct parts parts = {.pass = &pass};
	struct buf b;
	size_t i;

	for (i = 0; i < len; i++)
		random[i] = (uint8_t)random_next();
	buf_init(&b, MAKER_MAX);
	make_zstd(&b, random, len, &zstd);
	is_int(pass_run(&pass, b.data, b.len, 1 << 20, 0), 0, "%s: a pass", what);
	ok(pass.n_spans >= 2 && pass.spans[pass.n_spans - 1].in == 0 &&
		   pass.spans[pass.n_spans - 1].in_len > pass.spans[0].in_len,
	   "gives parts");
	if (source_memory(b.data, b.len, &blob) < 0)
		exit(1);
	is_int(span_load_parts(pass.spans, pass.n_spans, blob, take_part, &parts, NULL),
	       0, "which are loaded at once");
	ok(parts.n == pass.n_spans && !parts.wrong, "all of them, and right");
	source_unref(blob);
	pass_release(&pass);
	buf_release(&b);
	free(random);
}

int main(void)
{
	buf_init(&plain, MAKER_MAX);
	make_plain(&plain, 4u << 20);
	test_sane();
	test_chunk();
	test_large();
	test_parts(6u << 20, "held");
	test_parts(20u << 20, "streamed");
	test_changed();
	test_source_fails();
	buf_release(&plain);
	return test_done();
}
