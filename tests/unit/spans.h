/* SPDX-License-Identifier: MIT */
/*
 * For tests and fuzz targets of the decoder: a pass that keeps all output, and the
 * property that matters: each span decodes to its part of that output.
 */
#ifndef TESTS_UNIT_SPANS_H
#define TESTS_UNIT_SPANS_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/source.h"
#include "tar/codec/decoder.h"
#include "tar/codec/gzip_cutter.h"
#include "tar/codec/span.h"

struct pass {
	uint8_t *out;
	size_t len, room;
	size_t max;	  /* output beyond it ends the pass with -EFBIG; 0: no limit */
	size_t max_spans; /* the next one ends it with -ENOSPC; 0: no limit */
	struct span *spans;
	size_t n_spans;
	uint64_t windows;
	int rc;
	struct err err;
};

/* Of many lengths, down to one byte. */
static int pass_room(void *arg, void **room, size_t *len)
{
	struct pass *p = arg;

	*len = 1 + (p->len * 7919) % 200000;
	if (p->max && p->len == p->max)
		return -EFBIG;
	if (p->max && *len > p->max - p->len)
		*len = p->max - p->len;
	if (*len > p->room - p->len) {
		p->room = p->room * 2 + *len;
		p->out = realloc(p->out, p->room);
		if (!p->out)
			exit(1);
	}
	*room = p->out + p->len;
	return 0;
}

static int pass_output(void *arg, size_t len)
{
	((struct pass *)arg)->len += len;
	return 0;
}

static int pass_span(void *arg, const struct span *sp)
{
	struct pass *p = arg;
	void *window = NULL;

	if (p->max_spans && p->n_spans == p->max_spans)
		return -ENOSPC;
	if (sp->window_len > 0) {
		window = malloc(sp->window_len);
		if (!window)
			exit(1);
		memcpy(window, sp->window, sp->window_len);
	}
	p->spans = realloc(p->spans, (p->n_spans + 1) * sizeof(*sp));
	if (!p->spans)
		exit(1);
	p->spans[p->n_spans] = *sp;
	p->spans[p->n_spans++].window = window;
	p->windows += sp->window_len;
	return 0;
}

static const struct decoder_ops pass_ops = {
	.room = pass_room, .output = pass_output, .span = pass_span};

/* Sizes of the pieces of input: @piece, or random ones below -@piece. */
static size_t piece_size(long piece, uint64_t *random, size_t left)
{
	size_t n = (size_t)piece;

	if (piece < 0) {
		*random = *random * 6364136223846793005u + 1442695040888963407u;
		n = 1 + (size_t)((*random >> 33) % (uint64_t)-piece);
	}
	return n < left ? n : left;
}

/* Runs a pass; @zlib decodes gzip with zlib even if ISA-L is there. Returns p->rc. */
static int pass_run(struct pass *p, const void *data, size_t len, long piece, int zlib)
{
	const uint8_t *in = data;
	struct gzip_cutter *gzip = NULL;
	struct decoder *d = NULL;
	uint64_t random = len;
	int rc;

	rc = zlib ? gzip_cutter_new(&pass_ops, p, INFLATE_ZLIB, &gzip)
		  : decoder_new(&pass_ops, p, &d);
	while (rc == 0 && len > 0) {
		size_t n = piece_size(piece, &random, len);

		rc = zlib ? gzip_cutter_feed(gzip, in, n, &p->err)
			  : decoder_feed(d, in, n, &p->err);
		in += n;
		len -= n;
	}
	if (rc == 0)
		rc = zlib ? gzip_cutter_finish(gzip, &p->err)
			  : decoder_finish(d, &p->err);
	gzip_cutter_free(gzip);
	decoder_free(d);
	p->rc = rc;
	return rc;
}

static void pass_release(struct pass *p)
{
	size_t i;

	for (i = 0; i < p->n_spans; i++)
		free((void *)(uintptr_t)p->spans[i].window);
	free(p->spans);
	free(p->out);
	*p = (struct pass){0};
}

/*
 * Checks that the spans cover the output in order and that each decodes to its part.
 * Returns NULL or what is wrong.
 */
__attribute__((unused)) static const char *pass_check(const struct pass *p,
						      const void *data, size_t len)
{
	const char *wrong = NULL;
	struct source *blob = NULL;
	uint64_t at = 0;
	size_t i;

	if (source_memory(data, len, &blob) < 0)
		exit(1);
	for (i = 0; i < p->n_spans && !wrong; i++) {
		const struct span *sp = &p->spans[i];
		/* Exactly the right size, so that ASan detects one byte more. */
		uint8_t *out = malloc((size_t)sp->out_len);

		if (!out)
			exit(1);
		if (sp->out != at)
			wrong = "spans leave a gap";
		else if (!span_is_sane(sp, len) || sp->out_len > p->len - at)
			wrong = "a span is not sane";
		else if (span_load(sp, blob, out, NULL) < 0)
			wrong = "a span does not load";
		else if (memcmp(out, p->out + at, (size_t)sp->out_len))
			wrong = "a span gives other bytes";
		at += sp->out_len;
		free(out);
	}
	if (!wrong && at != p->len)
		wrong = "spans end before the output does";
	source_unref(blob);
	return wrong;
}

#endif
