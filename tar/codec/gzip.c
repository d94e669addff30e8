/* SPDX-License-Identifier: MIT */
/*
 * A member (RFC 1952, section 2.3):
 *
 *	1f 8b 08 FLG mtime[4] XFL OS
 *	[ len[2] extra[len] ]	FLG bit 2
 *	[ name NUL ]		bit 3
 *	[ comment NUL ]		bit 4
 *	[ crc[2] ]		bit 1: low half of the CRC-32 of the header so far
 *	deflate blocks
 *	crc[4] len[4]		of the content; len modulo 2^32
 *
 * The bytes may arrive one at a time, so each part is a state. Nothing of a header is
 * stored, so its parts may have any length.
 */
#include "tar/codec/gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"
#include "tar/codec/checksum.h"

enum part {
	PART_FIXED, /* in order: each is followed by the next one that the header has */
	PART_EXTRA_LEN,
	PART_EXTRA,
	PART_NAME,
	PART_COMMENT,
	PART_HEADER_CRC,
	PART_BODY,
	PART_TRAILER,
	PART_BETWEEN,
	PART_BEHIND,
};

enum flag {
	FLAG_HCRC = 2,
	FLAG_EXTRA = 4,
	FLAG_NAME = 8,
	FLAG_COMMENT = 16,
	FLAG_RESERVED = 0xe0
};

struct gzip {
	struct inflate *inflate;
	enum part part;
	uint8_t flags;
	uint8_t got[10]; /* of a part with a fixed length */
	size_t n_got;
	size_t extra;	     /* bytes of it still to come */
	uint32_t header_crc; /* of the header's bytes so far */
	bool is_whole;	     /* the member was decoded from its start */
	uint32_t crc;	     /* of the member's content so far */
	uint32_t len;	     /* modulo 2^32, as in the trailer */
};

int gzip_new(enum inflate_choice engine, struct gzip **out)
{
	struct gzip *g = calloc(1, sizeof(*g));
	int rc;

	if (!g)
		return -ENOMEM;
	rc = inflate_new(engine, &g->inflate);
	if (rc < 0) {
		free(g);
		return rc;
	}
	*out = g;
	return 0;
}

void gzip_free(struct gzip *g)
{
	if (!g)
		return;
	inflate_free(g->inflate);
	free(g);
}

int gzip_start_block(struct gzip *g, const void *window, size_t len, unsigned bits,
		     unsigned value)
{
	g->part = PART_BODY;
	g->n_got = 0;
	g->is_whole = false;
	return inflate_start(g->inflate, window, len, bits, value);
}

unsigned gzip_behind(const struct gzip *g)
{
	return inflate_behind(g->inflate);
}

uint32_t gzip_crc(const struct gzip *g)
{
	return g->crc;
}

bool gzip_is_between(const struct gzip *g)
{
	return (g->part == PART_BETWEEN && g->n_got == 0) || g->part == PART_BEHIND;
}

static void gzip_take_header(struct gzip *g, struct flow *flow, size_t n)
{
	g->header_crc = checksum(g->header_crc, flow->in, n);
	flow->in += n;
	flow->in_len -= n;
}

/* Collects a part of @want bytes. Returns false while some are missing. */
static bool gzip_collect(struct gzip *g, struct flow *flow, size_t want)
{
	while (g->n_got < want && flow->in_len > 0) {
		g->got[g->n_got++] = *flow->in++;
		flow->in_len--;
	}
	if (g->n_got < want)
		return false;
	g->n_got = 0;
	return true;
}

/* Skips a text and its NUL. Returns false while the NUL is missing. */
static bool gzip_skip_text(struct gzip *g, struct flow *flow)
{
	const uint8_t *nul = memchr(flow->in, 0, flow->in_len);

	gzip_take_header(g, flow, nul ? (size_t)(nul - flow->in) + 1 : flow->in_len);
	return nul != NULL;
}

/* Moves to the first part after @after that this header has, and prepares the body. */
static int gzip_next_part(struct gzip *g, enum part after)
{
	if (after < PART_EXTRA_LEN && g->flags & FLAG_EXTRA)
		g->part = PART_EXTRA_LEN;
	else if (after < PART_NAME && g->flags & FLAG_NAME)
		g->part = PART_NAME;
	else if (after < PART_COMMENT && g->flags & FLAG_COMMENT)
		g->part = PART_COMMENT;
	else if (after < PART_HEADER_CRC && g->flags & FLAG_HCRC)
		g->part = PART_HEADER_CRC;
	else {
		g->part = PART_BODY;
		return inflate_start(g->inflate, NULL, 0, 0, 0);
	}
	return GZIP_MORE;
}

static int gzip_run_fixed(struct gzip *g, struct flow *flow, struct err *e)
{
	if (!gzip_collect(g, flow, 10))
		return GZIP_MORE;
	if (g->got[0] != 0x1f || g->got[1] != 0x8b)
		return err_set(e, -EBADMSG, "gzip: expected a member or the end");
	if (g->got[2] != 8 || g->got[3] & FLAG_RESERVED)
		return err_set(e, -EBADMSG, "gzip: unknown form of a header");
	g->flags = g->got[3];
	g->header_crc = checksum(0, g->got, 10);
	g->is_whole = true;
	g->crc = g->len = 0;
	return gzip_next_part(g, PART_FIXED);
}

static int gzip_run_header(struct gzip *g, struct flow *flow, struct err *e)
{
	size_t n;

	switch (g->part) {
	case PART_FIXED:
		return gzip_run_fixed(g, flow, e);
	case PART_EXTRA_LEN:
		if (!gzip_collect(g, flow, 2))
			return GZIP_MORE;
		g->header_crc = checksum(g->header_crc, g->got, 2);
		g->extra = get_le16(g->got);
		g->part = PART_EXTRA;
		return GZIP_MORE;
	case PART_EXTRA:
		n = g->extra < flow->in_len ? g->extra : flow->in_len;
		gzip_take_header(g, flow, n);
		g->extra -= n;
		return g->extra > 0 ? GZIP_MORE : gzip_next_part(g, PART_EXTRA);
	case PART_NAME:
	case PART_COMMENT:
		return gzip_skip_text(g, flow) ? gzip_next_part(g, g->part) : GZIP_MORE;
	default:
		if (!gzip_collect(g, flow, 2))
			return GZIP_MORE;
		if (get_le16(g->got) != (g->header_crc & 0xffff))
			return err_set(e, -EBADMSG,
				       "gzip: the checksum of a header is wrong");
		return gzip_next_part(g, PART_HEADER_CRC);
	}
}

static int gzip_run_body(struct gzip *g, struct flow *flow, bool stop, struct err *e)
{
	const uint8_t *out = flow->out;
	int rc = inflate_run(g->inflate, flow, stop);
	size_t n = (size_t)(flow->out - out);

	if (rc < 0)
		return err_set(e, rc,
			       rc == -ENOMEM ? "out of memory" : "gzip: corrupt data");
	if (g->is_whole) {
		g->crc = checksum(g->crc, out, n);
		g->len += (uint32_t)n;
	}
	if (rc == INFLATE_END) {
		g->part = PART_TRAILER;
		g->n_got = inflate_tail(g->inflate, g->got);
		return GZIP_MORE;
	}
	return rc == INFLATE_BLOCK ? GZIP_BLOCK : GZIP_MORE;
}

static int gzip_run_trailer(struct gzip *g, struct flow *flow, struct err *e)
{
	if (!gzip_collect(g, flow, 8))
		return GZIP_MORE;
	if (g->is_whole && (get_le32(g->got) != g->crc || get_le32(g->got + 4) != g->len))
		return err_set(e, -EBADMSG,
			       "gzip: a member's checksum or length is wrong");
	g->part = PART_BETWEEN;
	return GZIP_MEMBER;
}

/* What does not begin like a member, padding or junk, is ignored, as gzip(1) does it. */
static void gzip_run_between(struct gzip *g, struct flow *flow)
{
	if (g->n_got == 0 && *flow->in != 0x1f) {
		g->part = PART_BEHIND;
	} else if (gzip_collect(g, flow, 2)) {
		g->part = g->got[1] == 0x8b ? PART_FIXED : PART_BEHIND;
		g->n_got = g->part == PART_FIXED ? 2 : 0;
	}
}

int gzip_run(struct gzip *g, struct flow *flow, bool stop, struct err *e)
{
	int rc = GZIP_MORE;

	while (rc == GZIP_MORE) {
		enum part was = g->part;

		/* The body may hold back output, so it runs without input, too. */
		if (flow->in_len == 0 && was != PART_BODY && was != PART_TRAILER)
			break;
		if (was == PART_BETWEEN) {
			gzip_run_between(g, flow);
		} else if (was == PART_BEHIND) {
			flow->in += flow->in_len;
			flow->in_len = 0;
		} else if (was == PART_BODY) {
			rc = gzip_run_body(g, flow, stop, e);
		} else if (was == PART_TRAILER) {
			rc = gzip_run_trailer(g, flow, e);
		} else {
			rc = gzip_run_header(g, flow, e);
		}
		if (g->part == was && (flow->in_len == 0 || flow->out_len == 0))
			break;
	}
	return rc;
}
