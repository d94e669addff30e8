/* SPDX-License-Identifier: MIT */
/*
 * A span begins at the start of the layer, at a member, or at a deflate block, and ends
 * where the next one begins. sealer.c does the work that would slow down decoding.
 *
 *	input	[ LAG |........taken........|....to come.... ]
 *	output	[ 32 KiB before ]  [ made, not handed out yet |   room    ]
 *
 * Input is gathered, so that pieces of any size cost the same. The end of the taken input
 * is preserved, because a block may turn out to begin up to LAG bytes before the position
 * of the decoder.
 */
#include "tar/codec/gzip_cutter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tar/codec/checksum.h"
#include "tar/codec/decoder_ops.h"
#include "tar/codec/gzip.h"
#include "tar/codec/sealer.h"
#include "tar/codec/span.h"

#define INPUT_ROOM (256 * 1024)
/*
 * So much input is decoded at a time, whatever the pieces that it arrives in: where an engine
 * finds blocks depends on it, and a layer is cut in the same way each time.
 */
#define INPUT_BATCH (64 * 1024)
/* An engine buffers at most a block's header (RFC 1951: below 300 bytes) and 8 bytes. */
#define LAG 1024

struct gzip_cutter {
	const struct decoder_ops *ops;
	void *arg;
	struct gzip *gzip;
	struct sealer *sealer;

	uint64_t base;	 /* offset in the layer of input[0] */
	size_t taken;	 /* bytes of input: decoded */
	size_t filled;	 /* bytes of input: valid */
	uint64_t sealed; /* offset in the layer: the sealer has everything before */
	/* offset in the layer where the last complete member ended */
	uint64_t member_end;

	uint64_t made;	      /* decoded bytes of the layer */
	uint64_t member_made; /* decoded bytes of this member */
	uint8_t *room;	      /* provided by the caller for output */
	size_t room_len;
	size_t pending; /* bytes of room: decoded, not handed out yet */

	struct span span;    /* the current span; its checksum covers completed members */
	uint32_t crc_before; /* of this member, the bytes before the span */
	uint64_t part_len;   /* bytes of this member in the span */
	/* of the span's first output: bytes that the sealer still needs */
	size_t head_left;
	uint8_t input[INPUT_ROOM];
	/* the last output that was handed out, aligned to the end */
	uint8_t before[INFLATE_WINDOW];
};

int gzip_cutter_new(const struct decoder_ops *ops, void *arg, enum inflate_choice engine,
		    struct gzip_cutter **out)
{
	struct gzip_cutter *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->ops = ops;
	c->arg = arg;
	c->span = (struct span){.kind = SPAN_GZIP, .has_crc = true};
	rc = gzip_new(engine, &c->gzip);
	if (rc == 0)
		rc = sealer_new(ops->span, arg, engine, &c->sealer);
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
	sealer_free(c->sealer);
	free(c);
}

/* @end is an offset in the layer. */
static int gzip_seal_to(struct gzip_cutter *c, uint64_t end)
{
	uint64_t from = c->sealed;

	if (end <= from)
		return 0;
	c->sealed = end;
	return sealer_put(c->sealer, SEALER_INPUT, c->input + (from - c->base),
			  (size_t)(end - from));
}

/* Makes room in the input. Bytes that may still be needed stay. */
static int gzip_shift_input(struct gzip_cutter *c)
{
	uint64_t now = c->base + c->taken, keep = now > LAG ? now - LAG : 0;
	size_t n;
	int rc;

	if (gzip_is_between(c->gzip)) {
		/* Next is another member, or padding, which belongs to no span. */
		rc = gzip_seal_to(c, c->member_end);
		keep = now;
	} else {
		rc = gzip_seal_to(c, keep);
	}
	if (rc < 0 || keep <= c->base)
		return rc;
	n = (size_t)(keep - c->base);
	memmove(c->input, c->input + n, c->filled - n);
	c->base = keep;
	c->taken -= n;
	c->filled -= n;
	return 0;
}

/* Hands out the decoded bytes and preserves a window of them. */
static int gzip_flush_output(struct gzip_cutter *c)
{
	size_t n = c->pending < INFLATE_WINDOW ? c->pending : INFLATE_WINDOW;
	int rc;

	if (c->pending == 0)
		return 0;
	memmove(c->before, c->before + n, INFLATE_WINDOW - n);
	memcpy(c->before + INFLATE_WINDOW - n, c->room + c->pending - n, n);
	rc = c->ops->output(c->arg, c->pending);
	c->room_len = c->pending = 0;
	return rc;
}

static int gzip_output_room(struct gzip_cutter *c)
{
	void *room;
	int rc = 0;

	if (c->pending == c->room_len) {
		rc = gzip_flush_output(c);
		if (rc == 0)
			rc = c->ops->room(c->arg, &room, &c->room_len);
		if (rc == 0)
			c->room = room;
	}
	return rc;
}

/* Accounts for @len bytes that were just decoded. */
static int gzip_account(struct gzip_cutter *c, size_t len, struct err *e)
{
	const uint8_t *data = c->room + c->pending;
	size_t n = len < c->head_left ? len : c->head_left;

	c->pending += len;
	c->made += len;
	c->member_made += len;
	c->span.out_len += len;
	c->part_len += len;
	if (c->span.out_len > SPAN_OUT_MAX)
		return err_set(e, -E2BIG, "gzip: a deflate block of more than %u bytes",
			       SPAN_OUT_MAX);
	c->head_left -= n;
	return n > 0 ? sealer_put(c->sealer, SEALER_HEAD, data, n) : 0;
}

/*
 * The next bytes belong to another span or member. No byte is summed twice: the checksum
 * of the part is computed from those of the member.
 */
static void gzip_part_end(struct gzip_cutter *c)
{
	uint32_t crc;

	if (c->part_len == 0)
		return;
	crc = checksum_rest(c->crc_before, gzip_crc(c->gzip), c->part_len);
	c->span.crc = checksum_join(c->span.crc, crc, c->part_len);
	c->crc_before = gzip_crc(c->gzip);
	c->part_len = 0;
}

/* Ends the span before the compressed byte @end. */
static int gzip_span_end(struct gzip_cutter *c, uint64_t end)
{
	int rc = gzip_flush_output(c);

	if (rc == 0)
		rc = gzip_seal_to(c, end);
	gzip_part_end(c);
	c->span.in_len = end - c->span.in;
	return rc < 0 ? rc : sealer_end(c->sealer, &c->span);
}

static void gzip_span_begin(struct gzip_cutter *c, enum span_kind kind, uint64_t in,
			    unsigned bits)
{
	c->span = (struct span){
		.kind = kind,
		.bits = (uint8_t)bits,
		.in = in,
		.out = c->made,
		.has_crc = true,
	};
	c->sealed = in;
	c->head_left = 0;
}

static int gzip_cut_at_block(struct gzip_cutter *c)
{
	uint64_t bit = (c->base + c->taken) * 8 - gzip_behind(c->gzip), in = bit / 8;
	unsigned bits = bit % 8;
	size_t len = c->member_made < INFLATE_WINDOW ? (size_t)c->member_made
						     : INFLATE_WINDOW;
	int rc = gzip_span_end(c, in + (bits > 0));

	if (rc < 0)
		return rc;
	gzip_span_begin(c, SPAN_DEFLATE, in, bits);
	if (len == 0)
		return 0;
	c->head_left = INFLATE_WINDOW;
	return sealer_put(c->sealer, SEALER_WINDOW, c->before + INFLATE_WINDOW - len,
			  len);
}

/*
 * No window is needed between members, so a span may end here even if it is somewhat
 * short.
 */
static int gzip_member_end(struct gzip_cutter *c)
{
	int rc;

	gzip_part_end(c);
	c->crc_before = 0;
	c->member_end = c->base + c->taken;
	c->member_made = 0;
	c->head_left = 0; /* the next output cannot refer to anything before */
	if (c->span.out_len < SPAN_TARGET / 2)
		return 0;
	rc = gzip_span_end(c, c->member_end);
	if (rc == 0)
		gzip_span_begin(c, SPAN_GZIP, c->member_end, 0);
	return rc;
}

/* Decodes the gathered input. */
static int gzip_decode(struct gzip_cutter *c, struct err *e)
{
	bool was_full = false;
	int status, rc;

	while (c->taken < c->filled || was_full) {
		bool stop = c->span.out_len >= SPAN_TARGET;
		struct flow flow = {c->input + c->taken, c->filled - c->taken, NULL, 0};
		size_t room;

		rc = gzip_output_room(c);
		if (rc < 0)
			return rc;
		flow.out = c->room + c->pending;
		flow.out_len = room = c->room_len - c->pending;
		/* Stop at the target, because the search for a boundary begins there. */
		if (!stop && flow.out_len > SPAN_TARGET - c->span.out_len)
			room = flow.out_len = (size_t)(SPAN_TARGET - c->span.out_len);
		rc = gzip_run(c->gzip, &flow, stop, e);
		if (rc < 0)
			return err_prefix(e, rc, "near compressed byte %llu",
					  (unsigned long long)(c->base + c->taken));
		c->taken = c->filled - flow.in_len;
		was_full = flow.out_len == 0;
		status = rc;
		rc = gzip_account(c, room - flow.out_len, e);
		if (rc == 0 && status == GZIP_BLOCK)
			rc = gzip_cut_at_block(c);
		else if (rc == 0 && status == GZIP_MEMBER)
			rc = gzip_member_end(c);
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

		rc = gzip_shift_input(c);
		if (rc < 0)
			return rc;
		n = INPUT_BATCH - (c->filled - c->taken);
		if (n > len)
			n = len;
		memcpy(c->input + c->filled, from, n);
		c->filled += n;
		from += n;
		len -= n;
		if (c->filled - c->taken < INPUT_BATCH)
			continue;
		rc = gzip_decode(c, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int gzip_cutter_finish(struct gzip_cutter *c, struct err *e)
{
	int rc = gzip_decode(c, e);

	if (rc < 0)
		return rc;
	if (!gzip_is_between(c->gzip))
		return err_set(e, -EBADMSG, "gzip: cut short at compressed byte %llu",
			       (unsigned long long)(c->base + c->filled));
	if (c->span.out_len == 0)
		rc = gzip_flush_output(c);
	else
		rc = gzip_span_end(c, c->member_end);
	return rc < 0 ? rc : sealer_finish(c->sealer);
}
