/* SPDX-License-Identifier: MIT */
/*
 * The engine that finds block boundaries without being told of them.
 *
 * ISA-L decodes from its input until that, or the room for output, ends; it cannot be
 * asked to stop at a block. But when the input ends inside a block's header, its
 * public state says so (ISAL_BLOCK_HDR), says how much of the header it has set aside
 * (tmp_in_size bytes, read_in_length bits), and by then all output before the header
 * has been made. So boundaries are found by feeding few bytes at a time.
 *
 * A call costs about a microsecond, for it copies 32 KiB of history. So the search
 * goes in coarse steps: the state is saved, COARSE bytes are decoded, and if the
 * Huffman tables have changed a header was passed: the state is put back and the same
 * bytes are fed in FINE steps. A header of a dynamic block is seldom shorter than FINE
 * bytes; a stored block's length is known, so that its end is found at once. A fixed
 * block leaves no trace and its header has three bits: where coarse steps find nothing
 * for long, fine ones go on, and meet a boundary now and then.
 */
#include "tar/isal.h"

#include <errno.h>

#ifdef HAVE_ISAL

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include "tar/inflate.h"

#define COARSE 2048
#define FINE   32
/* Input searched coarsely before it is searched finely. */
#define PATIENCE (256 * 1024)

struct isal {
	struct inflate base;
	size_t searched; /* input since a boundary was asked for */
	size_t fine;	 /* input left to be fed in fine steps */
	struct inflate_state s;
	struct inflate_state saved;
};

static int isal_start(struct inflate *f, const void *window, size_t len, unsigned bits,
		      unsigned value)
{
	struct isal *e = (struct isal *)f;

	e->searched = e->fine = 0;
	isal_inflate_init(&e->s);
	e->s.crc_flag = ISAL_DEFLATE;
	e->s.read_in = value;
	e->s.read_in_length = (int32_t)bits;
	if (len > 0 &&
	    isal_inflate_set_dict(&e->s, (uint8_t *)(uintptr_t)window, (uint32_t)len) != COMP_OK)
		return -EBADMSG;
	return 0;
}

static bool is_drained(const struct inflate_state *s)
{
	return s->tmp_out_valid == s->tmp_out_processed;
}

static bool is_at_header(const struct inflate_state *s)
{
	return s->block_state == ISAL_BLOCK_NEW_HDR || s->block_state == ISAL_BLOCK_HDR;
}

/* One call, fed @n bytes. */
static int step(struct isal *e, struct flow *flow, size_t n)
{
	struct inflate_state *s = &e->s;
	uint32_t in_len = n < INT_MAX ? (uint32_t)n : INT_MAX;
	uint32_t out_len = flow->out_len < INT_MAX ? (uint32_t)flow->out_len : INT_MAX;
	int rc;

	s->next_in = (uint8_t *)(uintptr_t)flow->in;
	s->avail_in = in_len;
	s->next_out = flow->out;
	s->avail_out = out_len;
	rc = isal_inflate(s);
	if (rc < 0)
		return -EBADMSG;
	flow->in += in_len - s->avail_in;
	flow->in_len -= in_len - s->avail_in;
	flow->out += out_len - s->avail_out;
	flow->out_len -= out_len - s->avail_out;
	/* Nothing taken, nothing made: a caller that goes on would go on for ever. */
	if (in_len > 0 && out_len > 0 && s->avail_in == in_len && s->avail_out == out_len &&
	    s->block_state != ISAL_BLOCK_FINISH)
		return -EBADMSG;
	return s->block_state == ISAL_BLOCK_FINISH ? INFLATE_END : INFLATE_MORE;
}

/* All of the state that counts: its end is room for output, in use up to tmp_out_valid. */
static void state_copy(struct inflate_state *to, const struct inflate_state *from)
{
	memcpy(to, from,
	       offsetof(struct inflate_state, tmp_out_buffer) + (size_t)from->tmp_out_valid);
}

static bool is_new_block(const struct inflate_state *was, const struct inflate_state *is)
{
	return is->block_state == ISAL_BLOCK_TYPE0 ||
	       memcmp(&was->dist_huff_code, &is->dist_huff_code, sizeof(is->dist_huff_code)) ||
	       memcmp(&was->lit_huff_code, &is->lit_huff_code, sizeof(is->lit_huff_code));
}

static int step_coarsely(struct isal *e, struct flow *flow)
{
	struct flow was = *flow;
	int rc;

	state_copy(&e->saved, &e->s);
	rc = step(e, flow, COARSE);
	if (rc != INFLATE_MORE || is_at_header(&e->s) || !is_new_block(&e->saved, &e->s)) {
		e->searched += was.in_len - flow->in_len;
		return rc;
	}
	state_copy(&e->s, &e->saved);
	*flow = was;
	e->fine = COARSE;
	return INFLATE_MORE;
}

static int step_finely(struct isal *e, struct flow *flow)
{
	struct inflate_state *s = &e->s;
	size_t n = FINE, before = flow->in_len;
	int rc;

	/* A stored block's end is known, but for the bytes of it that were taken already. */
	if (s->block_state == ISAL_BLOCK_TYPE0 && s->type0_block_len > s->read_in_length / 8)
		n = (size_t)(s->type0_block_len - s->read_in_length / 8);
	if (n > flow->in_len)
		n = flow->in_len;
	rc = step(e, flow, n);
	n = before - flow->in_len;
	e->searched += n;
	e->fine -= n < e->fine ? n : e->fine;
	return rc;
}

static int search(struct isal *e, struct flow *flow)
{
	struct inflate_state *s = &e->s;
	int rc;

	for (;;) {
		if (is_at_header(s) && is_drained(s))
			return INFLATE_BLOCK;
		if (flow->out_len == 0 || (flow->in_len == 0 && is_drained(s)))
			return INFLATE_MORE;
		if (!is_drained(s))
			rc = step(e, flow, 0);
		else if (s->block_state == ISAL_BLOCK_CODED && e->fine == 0 &&
			 e->searched < PATIENCE && flow->in_len >= COARSE)
			rc = step_coarsely(e, flow);
		else
			rc = step_finely(e, flow);
		if (rc != INFLATE_MORE)
			return rc;
	}
}

static int isal_run(struct inflate *f, struct flow *flow, bool stop)
{
	struct isal *e = (struct isal *)f;

	if (stop)
		return search(e, flow);
	e->searched = e->fine = 0;
	return step(e, flow, flow->in_len);
}

static unsigned isal_behind(const struct inflate *f)
{
	const struct inflate_state *s = &((const struct isal *)f)->s;

	return (unsigned)(s->tmp_in_size * 8 + s->read_in_length);
}

static size_t isal_tail(const struct inflate *f, uint8_t *tail)
{
	const struct inflate_state *s = &((const struct isal *)f)->s;
	uint64_t bits = s->read_in >> (s->read_in_length % 8);
	size_t i, n = (size_t)s->read_in_length / 8;

	if (n > INFLATE_TAIL)
		n = INFLATE_TAIL;
	for (i = 0; i < n; i++)
		tail[i] = (uint8_t)(bits >> (8 * i));
	return n;
}

static void isal_free(struct inflate *f)
{
	free(f);
}

bool isal_is_there(void)
{
	return true;
}

int isal_new(struct inflate **out)
{
	static const struct inflate_ops ops = {
		.start = isal_start,
		.run = isal_run,
		.behind = isal_behind,
		.tail = isal_tail,
		.free = isal_free,
	};
	struct isal *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->base.ops = &ops;
	*out = &e->base;
	return 0;
}

uint32_t isal_crc(uint32_t crc, const void *data, size_t len)
{
	return crc32_gzip_refl(crc, data, len);
}

#else

bool isal_is_there(void)
{
	return false;
}

int isal_new(struct inflate **out)
{
	(void)out;
	return -ENOTSUP;
}

uint32_t isal_crc(uint32_t crc, const void *data, size_t len)
{
	(void)data;
	(void)len;
	return crc;
}

#endif
