/* SPDX-License-Identifier: MIT */
/*
 * The engine that finds block boundaries although the library does not report them.
 *
 * ISA-L decodes until its input or the room for output ends. It cannot stop at a block.
 * But if the input ends inside a block's header, its public state says so
 * (ISAL_BLOCK_HDR) and says how much of the header it has buffered (tmp_in_size bytes,
 * read_in_length bits). By then it has made all output before the header. So boundaries
 * are found by feeding few bytes at a time.
 *
 * A call costs more than a microsecond, because it moves 32 KiB of history. So the search
 * begins with long steps: the state is saved and STEP_MAX bytes are decoded. If the
 * Huffman tables have changed, a header was passed. Then the state is restored and the
 * same bytes are decoded in shorter steps, down to STEP_MIN, which few headers of dynamic
 * blocks fit into. The length of a stored block is known, so its end is found at once.
 *
 * A block with the same tables as the block before leaves no trace. So if long steps find
 * nothing for PATIENCE bytes, short steps follow. The header of a fixed block has three
 * bits and is hit by chance only. Otherwise, if TRIES short steps find nothing either, it
 * may be one endless block, and the next REST bytes are decoded at full speed.
 */
#include "tar/codec/isal.h"

#include <errno.h>

#ifdef HAVE_ISAL

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include "tar/codec/inflate_engine.h"

#define STEP_MAX   2048
#define STEP_RATIO 12
#define STEP_MIN   (STEP_MAX / STEP_RATIO / STEP_RATIO)
#define PATIENCE   (256u * 1024)
#define TRIES	   8192
#define REST	   (8u * 1024 * 1024)

struct isal {
	struct inflate base;
	/* input, and a quarter of the output, since a boundary was requested */
	size_t searched;
	size_t step;	/* bytes fed at a time */
	size_t left;	/* input until longer steps are tried again */
	unsigned tries; /* short steps taken after long ones found nothing */
	size_t rest;	/* counted like searched: still to be decoded without a search */
	struct inflate_state s;
	struct inflate_state saved;
	struct inflate_huff_code_large fixed; /* the literal table of a fixed block */
};

static void isal_search_reset(struct isal *e)
{
	e->searched = e->left = e->rest = 0;
	e->tries = 0;
	e->step = STEP_MAX;
}

static int isal_start(struct inflate *f, const void *window, size_t len, unsigned bits,
		      unsigned value)
{
	struct isal *e = (struct isal *)f;

	isal_search_reset(e);
	isal_inflate_init(&e->s);
	e->s.crc_flag = ISAL_DEFLATE;
	e->s.read_in = value;
	e->s.read_in_length = (int32_t)bits;
	if (len > 0 && isal_inflate_set_dict(&e->s, (uint8_t *)(uintptr_t)window,
					     (uint32_t)len) != COMP_OK)
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

/* One call of the library, fed @n bytes. */
static int isal_step(struct isal *e, struct flow *flow, size_t n)
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
	/* No progress in either direction: a caller that continues would never end. */
	if (in_len > 0 && out_len > 0 && s->avail_in == in_len &&
	    s->avail_out == out_len && s->block_state != ISAL_BLOCK_FINISH)
		return -EBADMSG;
	return s->block_state == ISAL_BLOCK_FINISH ? INFLATE_END : INFLATE_MORE;
}

/*
 * Copies all of the state that matters: its end is a buffer for output, used up to
 * tmp_out_valid.
 */
static void state_copy(struct inflate_state *to, const struct inflate_state *from)
{
	memcpy(to, from,
	       offsetof(struct inflate_state, tmp_out_buffer) +
		       (size_t)from->tmp_out_valid);
}

static bool is_new_block(const struct inflate_state *was, const struct inflate_state *is)
{
	return is->block_state == ISAL_BLOCK_TYPE0 ||
	       memcmp(&was->dist_huff_code, &is->dist_huff_code,
		      sizeof(is->dist_huff_code)) != 0 ||
	       memcmp(&was->lit_huff_code, &is->lit_huff_code,
		      sizeof(is->lit_huff_code)) != 0;
}

static bool is_fixed(const struct isal *e)
{
	return memcmp(&e->s.lit_huff_code, &e->fixed, sizeof(e->fixed)) == 0;
}

/* How much to feed next. */
static size_t isal_step_size(struct isal *e, const struct flow *flow)
{
	const struct inflate_state *s = &e->s;
	size_t n;

	if (e->rest > 0)
		return flow->in_len;
	if (e->left == 0)
		e->step = e->searched < PATIENCE ? STEP_MAX : STEP_MIN;
	if (e->searched >= PATIENCE && ++e->tries == TRIES) {
		e->tries = 0;
		e->rest = is_fixed(e) ? 0 : REST;
	}
	n = e->step;
	/* Feed a stored block to its end, without the bytes that were taken already. */
	if (s->block_state == ISAL_BLOCK_TYPE0 &&
	    s->type0_block_len > s->read_in_length / 8)
		n = (size_t)(s->type0_block_len - s->read_in_length / 8);
	else if (s->block_state != ISAL_BLOCK_CODED)
		n = STEP_MIN;
	return n < flow->in_len ? n : flow->in_len;
}

/* A step that is undone if it went past a header. */
static int isal_step_back(struct isal *e, struct flow *flow, size_t n)
{
	struct flow was = *flow;
	int rc;

	state_copy(&e->saved, &e->s);
	rc = isal_step(e, flow, n);
	if (rc != INFLATE_MORE || is_at_header(&e->s) || !is_new_block(&e->saved, &e->s))
		return rc;
	state_copy(&e->s, &e->saved);
	*flow = was;
	e->left = n;
	e->step = n / STEP_RATIO;
	return INFLATE_MORE;
}

static int isal_search(struct isal *e, struct flow *flow)
{
	struct inflate_state *s = &e->s;
	size_t n;
	int rc;

	for (;;) {
		struct flow was = *flow;

		if (is_at_header(s) && is_drained(s))
			return INFLATE_BLOCK;
		if (flow->out_len == 0 || (flow->in_len == 0 && is_drained(s)))
			return INFLATE_MORE;
		n = is_drained(s) ? isal_step_size(e, flow) : 0;
		if (s->block_state == ISAL_BLOCK_CODED && n > STEP_MIN &&
		    e->searched < PATIENCE)
			rc = isal_step_back(e, flow, n);
		else
			rc = isal_step(e, flow, n);
		if (rc != INFLATE_MORE)
			return rc;
		n = was.in_len - flow->in_len;
		e->left -= n < e->left ? n : e->left;
		n += (was.out_len - flow->out_len) / 4;
		e->searched += n;
		e->rest -= n < e->rest ? n : e->rest;
	}
}

static int isal_run(struct inflate *f, struct flow *flow, bool stop)
{
	struct isal *e = (struct isal *)f;

	if (stop)
		return isal_search(e, flow);
	isal_search_reset(e);
	return isal_step(e, flow, flow->in_len);
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

/* Lets the library make the tables, from the header of a fixed block: 0, then 01. */
static void isal_init_fixed(struct isal *e)
{
	uint8_t byte;
	struct flow none = {&byte, 0, &byte, 0};

	(void)isal_start(&e->base, NULL, 0, 3, 2);
	(void)isal_step(e, &none, 0);
	e->fixed = e->s.lit_huff_code;
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
	isal_init_fixed(e);
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
