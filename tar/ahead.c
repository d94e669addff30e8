/* SPDX-License-Identifier: MIT */
#include "tar/ahead.h"

#include "tar/batch.h"
#include "tar/index/index.h"

/* A read within this many bytes of output is by the same reader. */
#define NEAR (32u << 20)

/*
 * This many misses near each other are not a coincidence. A program that starts reads fewer:
 * itself, its loader and libraries, some of them in order, but soon it reads elsewhere.
 */
#define FEW 8
/* As many are enough if the last one is for the next span. */
#define FEW_IN_ORDER 4

/* The first run of small spans: as many bytes as arrive in the time of a request. */
#define FIRST_RUN (64u << 10)

static uint64_t first_run_len(const struct index *ix, uint32_t span)
{
	struct span sp;

	return index_span(ix, span, &sp) == 0 && sp.out_len > FIRST_RUN ? SPAN_TARGET
									: FIRST_RUN;
}

uint64_t ahead_run_end(uint64_t start, uint64_t len, uint64_t bytes)
{
	uint64_t end;

	/* the first run of a reader is one span, if that is a large one */
	if (len >= bytes || (len > FIRST_RUN && bytes <= SPAN_TARGET))
		return start + len;
	end = (start + bytes + bytes / 2) / bytes * bytes;
	return end - start > BATCH_MAX ? end - bytes : end;
}

static uint64_t span_begin(const struct index *ix, uint32_t span)
{
	struct span sp;

	return index_span(ix, span, &sp) < 0 ? 0 : sp.out;
}

/* Does a span that begins at @here follow the reader's spans? */
static bool reader_is_next(const struct ahead_reader *r, const struct index *ix,
			   uint64_t here)
{
	uint64_t end = span_begin(ix, r->end);

	return here >= end && here - end < 2 * SPAN_TARGET;
}

static void reader_grow(struct ahead_reader *r)
{
	if (r->goes_on)
		r->bytes = r->bytes < BATCH_MAX / 4 ? r->bytes * 4 : BATCH_MAX;
}

/* The run that starts now is already longer. */
static void reader_set_sequential(struct ahead_reader *r)
{
	if (r->goes_on)
		return;
	r->goes_on = true;
	reader_grow(r);
}

struct ahead_reader *ahead_on_miss(struct ahead *a, const struct index *ix, uint32_t span)
{
	uint64_t here = span_begin(ix, span);
	struct ahead_reader *r, *oldest = &a->readers[0];

	for (r = a->readers; r < a->readers + AHEAD_READERS; r++) {
		if (r->bytes > 0 && here + NEAR >= span_begin(ix, r->first) &&
		    here <= span_begin(ix, r->end - 1) + NEAR)
			break;
		if (r->used < oldest->used)
			oldest = r;
	}
	if (r == a->readers + AHEAD_READERS) {
		r = oldest;
		*r = (struct ahead_reader){
			.first = span,
			.end = span + 1,
			.missed = span,
			.bytes = first_run_len(ix, span),
		};
	}
	if (++r->misses >= FEW ||
	    (r->misses >= FEW_IN_ORDER && reader_is_next(r, ix, here)))
		reader_set_sequential(r);
	r->used = ++a->clock;
	return r;
}

/* Is the reader nearer to the end of what was started than two more runs are long? */
static bool reader_wants_more(const struct ahead_reader *r, const struct index *ix)
{
	return r->end < index_info(ix)->n_spans &&
	       span_begin(ix, r->end) - span_begin(ix, r->first) < 2 * r->bytes;
}

struct ahead_reader *ahead_on_hit(struct ahead *a, const struct index *ix, uint32_t span)
{
	struct ahead_reader *r;

	for (r = a->readers; r < a->readers + AHEAD_READERS; r++) {
		if (r->bytes == 0 || span < r->first || span >= r->end)
			continue;
		/*
		 * The missed span was requested; the others were a guess, which proved
		 * right.
		 */
		if (span != r->missed)
			reader_set_sequential(r);
		if (span != r->first)
			r->has_begun = false;
		r->first = span;
		return r->goes_on && !r->has_begun && reader_wants_more(r, ix) ? r : NULL;
	}
	return NULL;
}

void ahead_began_for(struct ahead_reader *r, uint32_t first, uint32_t n, uint32_t missed)
{
	r->first = first;
	r->end = first + n;
	r->missed = missed;
	r->has_begun = true;
	reader_grow(r);
}

void ahead_began(struct ahead_reader *r, uint32_t first, uint32_t n)
{
	r->has_begun = true;
	r->end = first + n;
	reader_grow(r);
}
