/* SPDX-License-Identifier: MIT */
/*
 * What was read of a layer, and what is to be fetched before it is read: how one machine tells
 * others what a program needs when it starts. Any thread.
 */
#ifndef TAR_LAYER_TRACE_H
#define TAR_LAYER_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "tar/prefetch.h"
#include "tar/read_trace.h"

struct layer;

/*
 * Copies the decoded bytes of the spans that were read since @l was loaded, at most
 * READ_TRACE_BYTES of them and @max ranges, in the order of their first reading. Returns the
 * number of ranges; 0 until LAYER_READY.
 */
size_t layer_trace(const struct layer *l, struct byte_range *out, size_t max);

/*
 * Fetches the spans that have decoded bytes of @r into the store, in the background, and takes
 * what they cost from *budget, in bytes: prefetch_add(). What is there, under way, or behind the
 * layer's end is left out; all is if the store keeps no data. Failures are silent.
 */
void layer_prefetch(struct layer *l, const struct byte_range *r, uint64_t *budget);

#endif
