/* SPDX-License-Identifier: MIT */
/*
 * Spans as gzip_cutter.c cuts them, of a raw deflate stream that ends a block on a byte
 * boundary at each cut. A sealed span is right if it can be loaded.
 */
#include "tar/codec/sealer.h"

#include <errno.h>

#include "base/source.h"
#include "tar/codec/span.h"
#include "tar/codec/window.h"
#include "tests/unit/makers.h"
#include "tests/unit/test.h"

#define N_SPANS	 5
#define SPAN_LEN 100000

/* The stream and the offsets of its parts. */
static struct buf plain, packed;
static size_t starts[N_SPANS + 1];

/* All parts but the first refer to the output before them. */
static void make_stream(void)
{
	static uint8_t out[2 * SPAN_LEN];
	z_stream s = {0};
	size_t i;

	buf_init(&plain, MAKER_MAX);
	buf_init(&packed, MAKER_MAX);
	make_plain(&plain, N_SPANS * SPAN_LEN);
	if (deflateInit2(&s, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		exit(1);
	for (i = 0; i < N_SPANS; i++) {
		s.next_in = (uint8_t *)plain.data + i * SPAN_LEN;
		s.avail_in = SPAN_LEN;
		s.next_out = out;
		s.avail_out = sizeof(out);
		if (deflate(&s, i + 1 < N_SPANS ? Z_SYNC_FLUSH : Z_FINISH) < 0)
			exit(1);
		maker_append(&packed, out, sizeof(out) - s.avail_out);
		starts[i + 1] = packed.len;
	}
	deflateEnd(&s);
}

/* The reported spans and where they end. */
struct taken {
	struct span spans[N_SPANS];
	uint8_t windows[N_SPANS][WINDOW_PACKED_MAX];
	size_t n;
	size_t max; /* the next span is answered with -ENOSPC */
};

static struct taken taken;

static int take(void *arg, const struct span *sp)
{
	struct taken *t = arg;

	if (t->n == t->max)
		return -ENOSPC;
	t->spans[t->n] = *sp;
	if (sp->window_len > 0) {
		memcpy(t->windows[t->n], sp->window, sp->window_len);
		t->spans[t->n].window = t->windows[t->n];
	}
	t->n++;
	return 0;
}

static struct sealer *new_sealer(size_t max)
{
	struct sealer *s = NULL;

	taken.n = 0;
	taken.max = max;
	ok(sealer_new(take, &taken, INFLATE_FASTEST, &s) == 0, "a sealer");
	return s;
}

/* Part @i, its bytes in pieces. */
static int put_span(struct sealer *s, size_t i, size_t piece)
{
	const struct span sp = {.kind = SPAN_DEFLATE,
				.in = starts[i],
				.in_len = starts[i + 1] - starts[i],
				.out = i * SPAN_LEN,
				.out_len = SPAN_LEN};
	size_t at = starts[i], n;
	int rc = 0;

	if (i > 0)
		rc = sealer_put(s, SEALER_WINDOW, plain.data + sp.out - INFLATE_WINDOW,
				INFLATE_WINDOW);
	for (; rc == 0 && at < starts[i + 1]; at += n) {
		n = starts[i + 1] - at < piece ? starts[i + 1] - at : piece;
		rc = sealer_put(s, SEALER_INPUT, packed.data + at, n);
	}
	if (rc == 0)
		rc = sealer_put(s, SEALER_HEAD, plain.data + sp.out, INFLATE_WINDOW);
	return rc < 0 ? rc : sealer_end(s, &sp);
}

static bool is_right(const struct span *sp)
{
	struct source *blob = NULL;
	char *out = malloc(SPAN_LEN);
	bool is = out && source_memory(packed.data, packed.len, &blob) == 0 &&
		  span_load(sp, blob, out, NULL) == 0 &&
		  memcmp(out, plain.data + sp->out, SPAN_LEN) == 0;

	source_unref(blob);
	free(out);
	return is;
}

static void check_spans(size_t piece)
{
	struct sealer *s = new_sealer(N_SPANS);
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < N_SPANS; i++)
		rc = put_span(s, i, piece);
	ok(rc == 0 && sealer_finish(s) == 0, "spans in pieces of %zu", piece);
	is_int(taken.n, N_SPANS, "all are given");
	for (i = 0; i < taken.n; i++) {
		ok(taken.spans[i].in == starts[i], "in their order");
		ok(is_right(&taken.spans[i]), "and can be loaded");
	}
	is_int(taken.spans[0].window_len, 0, "what refers to nothing has no window");
	ok(taken.spans[1].window_len > 0 &&
		   taken.spans[1].window_len < INFLATE_WINDOW / 2,
	   "else as much of one as is needed");
	sealer_free(s);
}

/* A span whose output differs keeps its whole window. */
static void check_whole_window(void)
{
	const struct span sp = {.kind = SPAN_DEFLATE, .in_len = 7, .out_len = 1};
	struct sealer *s = new_sealer(1);
	static struct window back;

	ok(sealer_put(s, SEALER_WINDOW, plain.data, INFLATE_WINDOW) == 0 &&
		   sealer_put(s, SEALER_INPUT, "garbage", 7) == 0 &&
		   sealer_put(s, SEALER_HEAD, "x", 1) == 0 && sealer_end(s, &sp) == 0 &&
		   sealer_finish(s) == 0,
	   "input that does not give the output");
	is_int(taken.n, 1, "is given");
	ok(window_unpack(taken.spans[0].window, taken.spans[0].window_len, &back) == 0 &&
		   back.len == INFLATE_WINDOW &&
		   memcmp(back.bytes, plain.data, INFLATE_WINDOW) == 0,
	   "with all of its window");
	sealer_free(s);
}

static void check_refusal(void)
{
	struct sealer *s = new_sealer(2);
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < 3; i++)
		rc = put_span(s, i, SPAN_LEN);
	/* Which call returns the error depends on how far the thread is. */
	for (i = 0; rc == 0 && i < 1000; i++)
		rc = sealer_put(s, SEALER_INPUT, packed.data, packed.len);
	is_int(rc, -ENOSPC, "who gives is told that no more is taken");
	is_int(sealer_finish(s), -ENOSPC, "at the end, too");
	is_int(taken.n, 2, "and nothing is given after that");
	sealer_free(s);

	s = new_sealer(0);
	rc = put_span(s, 0, SPAN_LEN);
	ok(rc == 0 || rc == -ENOSPC, "the last span is refused");
	is_int(sealer_finish(s), -ENOSPC, "which the end tells");
	sealer_free(s);
}

static void check_early_end(void)
{
	struct sealer *s = new_sealer(N_SPANS);

	sealer_free(s);
	is_int(taken.n, 0, "freed before there is anything");
	s = new_sealer(N_SPANS);
	ok(put_span(s, 0, SPAN_LEN) == 0 &&
		   sealer_put(s, SEALER_INPUT, packed.data, 10) == 0,
	   "freed in the middle of a span");
	sealer_free(s);
	ok(taken.n <= 1, "which is not given");
	s = new_sealer(N_SPANS);
	is_int(sealer_finish(s), 0, "no spans at all");
	sealer_free(s);
	sealer_free(NULL);
}

int main(void)
{
	make_stream();
	check_spans(SPAN_LEN);
	check_spans(1 + random_next() % 3000);
	check_whole_window();
	check_refusal();
	check_early_end();
	buf_release(&plain);
	buf_release(&packed);
	return test_done();
}
