/* SPDX-License-Identifier: MIT */
/*
 * A zstd stream can only be entered at a frame. Short frames are combined into one span,
 * until it has SPAN_TARGET bytes of output. A frame of more than LONG_FRAME bytes of
 * output is cut into parts. Each part can only be decoded again from the start of the
 * frame. That is the price of a layer that is one frame, and the reason to keep its
 * decoded bytes.
 *
 * A frame turns out to be long after LONG_FRAME bytes of output (a frame need not state
 * its size, and may lie). Until then it may still join the span of the frames before it,
 * so its output is buffered, for the digests of parts. At the end of each frame the span
 * is completed as if it ended there.
 */
#include "tar/codec/zstd_cutter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "tar/codec/checksum.h"
#include "tar/codec/decoder_ops.h"
#include "tar/codec/span.h"
#include "tar/codec/zstd.h"

#define LONG_FRAME (4 * SPAN_TARGET)
#define OUTPUT_MAX (128 * 1024) /* at a time: the largest block */

struct zstd_cutter {
	const struct decoder_ops *ops;
	void *arg;
	struct zstd *zstd;
	uint64_t taken;	     /* compressed bytes of the layer */
	uint64_t made;	     /* decoded bytes of the layer */
	uint64_t frame_in;   /* offset in the layer where this frame begins */
	uint64_t frame_made; /* its output so far */

	struct span span;	/* whole frames, up to the end of the last one */
	struct hasher *in_hash; /* compressed bytes since span.in */
	uint32_t crc;		/* output since span.out */

	bool is_long;
	struct buf frame_output; /* the frame's output while the frame is not long */
	struct span part;	 /* the current part of a long frame */
	struct hasher *out_hash; /* the part's output */
};

static void zstd_span_begin(struct zstd_cutter *c)
{
	struct digest unused;

	hasher_finish(c->in_hash, &unused);
	c->crc = 0;
	c->span = (struct span){
		.kind = SPAN_ZSTD,
		.in = c->taken,
		.out = c->made,
		.has_crc = true,
	};
}

int zstd_cutter_new(const struct decoder_ops *ops, void *arg, struct zstd_cutter **out)
{
	struct zstd_cutter *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->ops = ops;
	c->arg = arg;
	/* The output that makes the frame a long one is buffered, too. */
	buf_init(&c->frame_output, LONG_FRAME + OUTPUT_MAX);
	rc = zstd_new(&c->zstd);
	if (rc == 0)
		rc = hasher_new(DIGEST_SHA256, &c->in_hash);
	if (rc == 0)
		rc = hasher_new(DIGEST_SHA256, &c->out_hash);
	if (rc < 0) {
		zstd_cutter_free(c);
		return rc;
	}
	zstd_span_begin(c);
	*out = c;
	return 0;
}

void zstd_cutter_free(struct zstd_cutter *c)
{
	if (!c)
		return;
	zstd_free(c->zstd);
	hasher_free(c->in_hash);
	hasher_free(c->out_hash);
	buf_release(&c->frame_output);
	free(c);
}

static void zstd_part_begin(struct zstd_cutter *c, uint64_t skip)
{
	c->part = (struct span){
		.kind = SPAN_ZSTD,
		.digest_is_of_output = true,
		.in = c->frame_in,
		.out = c->made - c->frame_made + skip,
		.skip = skip,
		.has_crc = true,
	};
}

static int zstd_part_end(struct zstd_cutter *c)
{
	struct digest digest;

	if (c->part.out_len == 0)
		return 0;
	hasher_finish(c->out_hash, &digest);
	memcpy(c->part.digest, digest.bytes, sizeof(c->part.digest));
	c->part.in_len = c->taken - c->frame_in;
	return c->ops->span(c->arg, &c->part);
}

/* Adds output of a long frame. */
static int zstd_part_add(struct zstd_cutter *c, const uint8_t *data, size_t len)
{
	while (len > 0) {
		size_t n = (size_t)(SPAN_TARGET - c->part.out_len);
		int rc;

		if (n > len)
			n = len;
		hasher_update(c->out_hash, data, n);
		c->part.crc = checksum(c->part.crc, data, n);
		c->part.out_len += n;
		data += n;
		len -= n;
		if (c->part.out_len < SPAN_TARGET)
			continue;
		rc = zstd_part_end(c);
		if (rc < 0)
			return rc;
		zstd_part_begin(c, c->part.skip + SPAN_TARGET);
	}
	return 0;
}

/* The frame turns out to be long. Close the span of the frames before it. */
static int zstd_become_long(struct zstd_cutter *c)
{
	int rc = 0;

	c->is_long = true;
	if (c->span.out_len > 0)
		rc = c->ops->span(c->arg, &c->span);
	if (rc < 0)
		return rc;
	zstd_part_begin(c, 0);
	rc = zstd_part_add(c, (const uint8_t *)c->frame_output.data, c->frame_output.len);
	buf_release(&c->frame_output);
	return rc;
}

/* Accounts for output that was just decoded. */
static int zstd_account(struct zstd_cutter *c, const uint8_t *data, size_t len)
{
	int rc;

	if (len == 0)
		return 0;
	rc = c->ops->output(c->arg, len);
	if (rc < 0)
		return rc;
	c->made += len;
	c->frame_made += len;
	if (c->is_long)
		return zstd_part_add(c, data, len);
	c->crc = checksum(c->crc, data, len);
	rc = buf_append(&c->frame_output, data, len);
	if (rc == 0 && c->frame_output.len > LONG_FRAME)
		rc = zstd_become_long(c);
	return rc;
}

static int zstd_frame_end(struct zstd_cutter *c)
{
	int rc = 0;

	if (c->is_long) {
		rc = zstd_part_end(c);
		zstd_span_begin(c);
	} else if (c->frame_made > 0) {
		struct digest digest;

		hasher_peek(c->in_hash, &digest);
		if (digest.alg == DIGEST_NONE)
			return -ENOMEM;
		memcpy(c->span.digest, digest.bytes, sizeof(c->span.digest));
		c->span.crc = c->crc;
		c->span.in_len = c->taken - c->span.in;
		c->span.out_len = c->made - c->span.out;
		if (c->span.out_len >= SPAN_TARGET) {
			rc = c->ops->span(c->arg, &c->span);
			zstd_span_begin(c);
		}
	} else if (c->span.out_len == 0) {
		zstd_span_begin(c); /* a span need not begin with empty frames */
	}
	c->is_long = false;
	c->frame_in = c->taken;
	c->frame_made = 0;
	buf_clear(&c->frame_output);
	return rc;
}

int zstd_cutter_feed(struct zstd_cutter *c, const void *data, size_t len, struct err *e)
{
	struct flow flow = {data, len, NULL, 0};
	bool was_full = false;

	while (flow.in_len > 0 || was_full) {
		const uint8_t *from = flow.in;
		void *room;
		int status, rc = c->ops->room(c->arg, &room, &flow.out_len);

		if (rc < 0)
			return rc;
		if (flow.out_len > OUTPUT_MAX)
			flow.out_len = OUTPUT_MAX;
		flow.out = room;
		status = zstd_run(c->zstd, &flow, e);
		if (status < 0)
			return err_prefix(e, status, "near compressed byte %llu",
					  (unsigned long long)c->taken);
		was_full = flow.out_len == 0;
		c->taken += (size_t)(flow.in - from);
		if (!c->is_long)
			hasher_update(c->in_hash, from, (size_t)(flow.in - from));
		rc = zstd_account(c, room, (size_t)(flow.out - (uint8_t *)room));
		if (rc == 0 && status == ZSTD_FRAME)
			rc = zstd_frame_end(c);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int zstd_cutter_finish(struct zstd_cutter *c, struct err *e)
{
	if (!zstd_is_between(c->zstd))
		return err_set(e, -EBADMSG, "zstd: cut short at compressed byte %llu",
			       (unsigned long long)c->taken);
	return c->span.out_len > 0 ? c->ops->span(c->arg, &c->span) : 0;
}
