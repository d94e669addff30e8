/* SPDX-License-Identifier: MIT */
#include "tar/prefetch.h"

#include <stdlib.h>

#include "base/array.h"
#include "tar/index/index.h"

/*
 * Compressed bytes on the way, or room in the store. A part of a long zstd frame has the
 * compressed bytes from the start of the frame, as often as it is asked for alone.
 */
static uint64_t span_cost(const struct span *sp)
{
	return sp->in_len > sp->out_len ? sp->in_len : sp->out_len;
}

void prefetch_add(struct prefetch *p, const struct index *ix, const struct byte_range *r,
		  uint64_t *budget)
{
	uint32_t first, at;
	struct span sp;

	if (r->first >= r->end || index_span_of(ix, r->first, &first, &sp) < 0)
		return;
	for (at = first; index_span(ix, at, &sp) == 0 && sp.out < r->end; at++) {
		if (span_cost(&sp) > *budget)
			break;
		*budget -= span_cost(&sp);
	}
	if (at > first && array_grow(&p->list, p->n, sizeof(*p->list)) == 0)
		p->list[p->n++] = (struct span_run){first, at};
}

struct span_run *prefetch_head(struct prefetch *p)
{
	while (p->head < p->n && p->list[p->head].at >= p->list[p->head].end)
		p->head++;
	return p->head < p->n ? &p->list[p->head] : NULL;
}

void prefetch_release(struct prefetch *p)
{
	free(p->list);
	p->list = NULL;
	p->n = p->head = 0;
}
