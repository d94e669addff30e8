/* SPDX-License-Identifier: MIT */
#include "tar/ahead.h"

#include "tar/batch.h"
#include "tar/index.h"

/* So near, in bytes of output, is the same reader. */
#define NEAR (32u << 20)

/* The first run, where spans are small: what a request of its own takes the time of. */
#define FIRST_RUN (64u << 10)

static uint64_t first_run(const struct index *ix, uint32_t span)
{
	struct span sp;

	return index_span(ix, span, &sp) == 0 && sp.out_len > FIRST_RUN ? sp.out_len : FIRST_RUN;
}

static uint64_t begin_of(const struct index *ix, uint32_t span)
{
	struct span sp;

	return index_span(ix, span, &sp) < 0 ? 0 : sp.out;
}

struct ahead_reader *ahead_on_miss(struct ahead *a, const struct index *ix, uint32_t span)
{
	uint64_t here = begin_of(ix, span);
	struct ahead_reader *r, *oldest = &a->readers[0];

	for (r = a->readers; r < a->readers + AHEAD_READERS; r++) {
		if (r->bytes > 0 && here + NEAR >= begin_of(ix, r->first) &&
		    here <= begin_of(ix, r->end - 1) + NEAR)
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
			.bytes = first_run(ix, span),
		};
	}
	r->used = ++a->clock;
	return r;
}

struct ahead_reader *ahead_on_hit(struct ahead *a, uint32_t span)
{
	struct ahead_reader *r;

	for (r = a->readers; r < a->readers + AHEAD_READERS; r++) {
		/* What was asked for is no guess; only what is beside it was fetched ahead. */
		if (!r->went_on && span != r->missed && span >= r->first && span < r->end) {
			r->went_on = true;
			return r;
		}
	}
	return NULL;
}

void ahead_began(struct ahead_reader *r, uint32_t first, uint32_t n, uint32_t missed)
{
	r->first = first;
	r->end = first + n;
	r->missed = missed;
	r->went_on = false;
	r->bytes = r->bytes < BATCH_MAX ? r->bytes * 2 : BATCH_MAX;
}
