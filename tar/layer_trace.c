/* SPDX-License-Identifier: MIT */
#include "tar/layer_trace.h"

#include "tar/layer.h"
#include "tar/span_cache.h"

size_t layer_trace(const struct layer *l, struct byte_range *out, size_t max)
{
	struct span_cache *c = layer_spans(l);

	return c ? read_trace_copy(span_cache_trace(c), out, max) : 0;
}

void layer_prefetch(struct layer *l, const struct byte_range *r, uint64_t *budget)
{
	struct span_cache *c = layer_spans(l);

	if (c)
		span_cache_prefetch(c, r, budget);
}
