/* SPDX-License-Identifier: MIT */
/*
 * A run of spans, one behind the other, fetched from the blob with one request, and
 * decoded with as little work as they allow.
 */
#ifndef TAR_BATCH_H
#define TAR_BATCH_H

#include <stdint.h>

struct index;
struct source;
struct span;

/* No run that is asked for is longer than this, in bytes of output. */
#define BATCH_MAX (16u << 20)

/* One span's output, checked; lent for the call. Negative: wants no more. */
typedef int batch_give_fn(void *arg, uint32_t span, const struct span *sp,
			  const void *out);

/*
 * Loads spans [first, first + n), in order. 0, or what ended it early: the spans given
 * so far are good all the same. *fetched grows by the compressed bytes asked for.
 */
int batch_load(const struct index *ix, struct source *blob, uint32_t first, uint32_t n,
	       batch_give_fn *give, void *arg, uint64_t *fetched);

#endif
