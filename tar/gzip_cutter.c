/* SPDX-License-Identifier: MIT */
/*
 * A span begins at the layer's start, at a member, or at a deflate block, and ends
 * where the next one begins. For each the compressed bytes are hashed, and of its
 * window what it refers to is kept.
 *
 *	input	[ ....hashed....|........taken........|....to come.... ]
 *	             ^ span.in while its window is not settled
 *	output	[ 32 KiB before | made, not handed out yet |   room    ]
 *
 * Input is gathered, so that pieces of any size cost the same, and kept behind the
 * point where decoding is: a block's start turns out to be up to LAG bytes before it,
 * and a window is settled by decoding the span's first 32 KiB again. A span that wants
 * more input than is kept for so little output keeps its window whole.
 */
#include "tar/gzip_cutter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/err.h"
#include "tar/checksum.h"
#include "tar/decoder.h"
#include "tar/gzip.h"
#include "tar/window.h"

#define INPUT_ROOM (256 * 1024)
/* Input that is gathered before it is decoded. */
#define INPUT_BATCH (64 * 1024)
#define OUTPUT_ROOM (256 * 1024)
/* An engine sets aside at most a block's header (RFC 1951: below 300 bytes) and 8 bytes. */
#define LAG 1024

struct gzip_cutter {
	const struct decoder_ops *ops;
	void *arg;
	struct gzip *gzip;
	struct inflate *probe;
	struct hasher *hasher;

	uint64_t base;	     /* offset in the layer of input[0] */
	size_t taken;	     /* of input: decoded */
	size_t filled;	     /* of input */
	uint64_t hashed;     /* offset in the layer */
	uint64_t member_end; /* offset in the layer, of the last one that ended */

	uint64_t made;	      /* decoded bytes of the layer */
	uint64_t member_made; /* decoded bytes of this member */
	size_t out_begin;     /* of output: not handed out yet */
	size_t out_end;

	/* The one that is under way; window and digest come at its end. */
	struct span span;
	bool is_unsettled; /* its window still has all bytes */
	size_t head_len;
	struct window window;
	size_t packed_len;
	uint8_t head[INFLATE_WINDOW]; /* its first output */
	uint8_t packed[WINDOW_PACKED_MAX];
	uint8_t input[INPUT_ROOM];
	uint8_t output[INFLATE_WINDOW + OUTPUT_ROOM];
};

int gzip_cutter_new(const struct decoder_ops *ops, void *arg, enum inflate_engine engine,
		    struct gzip_cutter **out)
{
	struct gzip_cutter *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->ops = ops;
	c->arg = arg;
	c->out_begin = c->out_end = INFLATE_WINDOW;
	c->span = (struct span){.kind = SPAN_GZIP, .has_crc = true};
	rc = gzip_new(engine, &c->gzip);
	if (rc == 0)
		rc = inflate_new(engine, &c->probe);
	if (rc == 0)
		rc = hasher_new(DIGEST_SHA256, &c->hasher);
	if (rc < 0) {
		gzip_cutter_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void gzip_cutter_free(struct gzip_cutter *c)
{
	if (!c)
		return;
	gzip_free(c->gzip);
	inflate_free(c->probe);
	hasher_free(c->hasher);
	free(c);
}

/* @end is an offset in the layer. */
static void hash_to(struct gzip_cutter *c, uint64_t end)
{
	if (end <= c->hashed)
		return;
	hasher_update(c->hasher, c->input + (c->hashed - c->base),
		      (size_t)(end - c->hashed));
	c->hashed = end;
}

/* Makes room in the input; the bytes that may be asked for again stay. */
static void input_shift(struct gzip_cutter *c)
{
	uint64_t now = c->base + c->taken, keep = now > LAG ? now - LAG : 0;
	size_t n;

	if (gzip_is_between(c->gzip)) {
		/* What comes is another member, or padding, which belongs to no span. */
		hash_to(c, c->member_end);
		keep = now;
	} else {
		hash_to(c, keep);
	}
	if (c->is_unsettled && c->span.in < keep)
		keep = c->span.in;
	if (keep <= c->base)
		return;
	n = (size_t)(keep - c->base);
	memmove(c->input, c->input + n, c->filled - n);
	c->base = keep;
	c->taken -= n;
	c->filled -= n;
}

/* Hands out what was made, and keeps a window's length of it. */
static int output_flush(struct gzip_cutter *c)
{
	size_t len = c->out_end - c->out_begin;
	int rc;

	if (len == 0)
		return 0;
	rc = c->ops->output(c->arg, c->output + c->out_begin, len);
	if (rc < 0)
		return rc;
	memmove(c->output, c->output + c->out_end - INFLATE_WINDOW, INFLATE_WINDOW);
	c->out_begin = c->out_end = INFLATE_WINDOW;
	return 0;
}

/* The span's window is reduced to what was referred to up to now, which is all. */
static int settle(struct gzip_cutter *c)
{
	size_t at = (size_t)(c->span.in - c->base);
	int rc;

	if (!c->is_unsettled)
		return 0;
	c->is_unsettled = false;
	rc = window_strip(&c->window, c->probe, c->input + at, c->taken - at,
			  c->span.bits, c->head, c->head_len);
	if (rc == -ENOMEM)
		return rc;
	return window_pack(&c->window, c->packed, &c->packed_len);
}

/* Input is short: the window stays whole. */
static int settle_whole(struct gzip_cutter *c)
{
	c->is_unsettled = false;
	return window_pack(&c->window, c->packed, &c->packed_len);
}

/* Counts in what was just made. */
static int account(struct gzip_cutter *c, size_t len, struct err *e)
{
	const uint8_t *data = c->output + c->out_end;
	size_t n = sizeof(c->head) - c->head_len;

	c->out_end += len;
	c->made += len;
	c->member_made += len;
	c->span.out_len += len;
	c->span.crc = checksum(c->span.crc, data, len);
	if (c->span.out_len > SPAN_OUT_MAX)
		return err_set(e, -E2BIG, "gzip: a deflate block of more than %u bytes",
			       SPAN_OUT_MAX);
	if (!c->is_unsettled)
		return 0;
	if (n > len)
		n = len;
	memcpy(c->head + c->head_len, data, n);
	c->head_len += n;
	return c->head_len == sizeof(c->head) ? settle(c) : 0;
}

/* Ends the span with the compressed byte before @end. */
static int span_end(struct gzip_cutter *c, uint64_t end)
{
	struct digest digest;
	int rc;

	rc = settle(c);
	if (rc == 0)
		rc = output_flush(c);
	if (rc < 0)
		return rc;
	hash_to(c, end);
	hasher_finish(c->hasher, &digest);
	memcpy(c->span.digest, digest.bytes, sizeof(c->span.digest));
	c->span.in_len = end - c->span.in;
	c->span.window = c->packed_len > 0 ? c->packed : NULL;
	c->span.window_len = c->packed_len;
	return c->ops->span(c->arg, &c->span);
}

static void span_begin(struct gzip_cutter *c, enum span_kind kind, uint64_t in,
		       unsigned bits)
{
	c->span = (struct span){
		.kind = kind,
		.bits = (uint8_t)bits,
		.in = in,
		.out = c->made,
		.has_crc = true,
	};
	c->hashed = in;
	c->packed_len = c->head_len = c->window.len = 0;
	c->is_unsettled = false;
}

static int cut_at_block(struct gzip_cutter *c)
{
	uint64_t bit = (c->base + c->taken) * 8 - gzip_behind(c->gzip), in = bit / 8;
	unsigned bits = bit % 8;
	size_t len = c->member_made < INFLATE_WINDOW ? (size_t)c->member_made
						     : INFLATE_WINDOW;
	int rc = span_end(c, in + (bits > 0));

	if (rc < 0)
		return rc;
	span_begin(c, SPAN_DEFLATE, in, bits);
	memcpy(c->window.bytes, c->output + c->out_end - len, len);
	c->window.len = len;
	c->is_unsettled = len > 0;
	return 0;
}

/* Between members no window is needed: a good place even if it comes somewhat early. */
static int member_ended(struct gzip_cutter *c)
{
	int rc = settle(c);

	c->member_end = c->base + c->taken;
	c->member_made = 0;
	if (rc < 0 || c->span.out_len < SPAN_TARGET / 2)
		return rc;
	rc = span_end(c, c->member_end);
	if (rc == 0)
		span_begin(c, SPAN_GZIP, c->member_end, 0);
	return rc;
}

/* Decodes what was gathered. */
static int work(struct gzip_cutter *c, struct err *e)
{
	bool was_full = false;
	int status, rc;

	while (c->taken < c->filled || was_full) {
		bool stop = c->span.out_len >= SPAN_TARGET;
		size_t room = sizeof(c->output) - c->out_end;
		struct flow flow = {c->input + c->taken, c->filled - c->taken,
				    c->output + c->out_end, room};

		/* Not past the target, for there the search begins. */
		if (!stop && flow.out_len > SPAN_TARGET - c->span.out_len)
			room = flow.out_len = (size_t)(SPAN_TARGET - c->span.out_len);
		rc = gzip_run(c->gzip, &flow, stop, e);
		if (rc < 0)
			return err_prefix(e, rc, "near compressed byte %llu",
					  (unsigned long long)(c->base + c->taken));
		c->taken = c->filled - flow.in_len;
		was_full = flow.out_len == 0;
		status = rc;
		rc = account(c, room - flow.out_len, e);
		if (rc == 0 && status == GZIP_BLOCK)
			rc = cut_at_block(c);
		else if (rc == 0 && status == GZIP_MEMBER)
			rc = member_ended(c);
		if (rc == 0 && c->out_end == sizeof(c->output))
			rc = output_flush(c);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int gzip_cutter_feed(struct gzip_cutter *c, const void *data, size_t len, struct err *e)
{
	const uint8_t *from = data;

	while (len > 0) {
		size_t n;
		int rc;

		input_shift(c);
		if (c->is_unsettled && c->filled > sizeof(c->input) - INPUT_BATCH) {
			rc = settle_whole(c);
			if (rc < 0)
				return rc;
			input_shift(c);
		}
		n = sizeof(c->input) - c->filled;
		if (n > len)
			n = len;
		memcpy(c->input + c->filled, from, n);
		c->filled += n;
		from += n;
		len -= n;
		if (c->filled - c->taken < INPUT_BATCH)
			continue;
		rc = work(c, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int gzip_cutter_finish(struct gzip_cutter *c, struct err *e)
{
	int rc = work(c, e);

	if (rc < 0)
		return rc;
	if (!gzip_is_between(c->gzip))
		return err_set(e, -EBADMSG, "gzip: cut short at compressed byte %llu",
			       (unsigned long long)(c->base + c->filled));
	if (c->span.out_len == 0)
		return output_flush(c);
	return span_end(c, c->member_end);
}
