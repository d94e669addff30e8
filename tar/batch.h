/* SPDX-License-Identifier: MIT */
/*
 * Loads a run of consecutive spans with one request, and decodes them with as little work
 * as they allow.
 */
#ifndef TAR_BATCH_H
#define TAR_BATCH_H

#include <stdbool.h>
#include <stdint.h>

struct index;
struct source;
struct span;

/* The longest run that is requested, in bytes of output. */
#define BATCH_MAX (16u << 20)

/*
 * Called with the verified output of each span, valid during the call. Negative to stop.
 */
typedef int batch_give_fn(void *arg, uint32_t span, const struct span *sp,
			  const void *out);

/*
 * Loads spans [first, first + n), in order. 0, or the error that ended it early; the
 * spans reported before it are valid. The compressed bytes requested are added to
 * *fetched.
 */
int batch_load(const struct index *ix, struct source *blob, uint32_t first, uint32_t n,
	       batch_give_fn *give, void *arg, uint64_t *fetched);

/* The end of the spans that have the same input as @span; is that at most SPAN_TARGET long? */
uint32_t batch_input_end(const struct index *ix, uint32_t span);
bool batch_input_is_short(const struct index *ix, uint32_t span);

#endif
