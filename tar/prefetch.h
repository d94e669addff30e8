/* SPDX-License-Identifier: MIT */
/*
 * A queue of spans of a layer that are to be fetched in the background, before they are read.
 * Plain data: the lock of its owner guards it.
 */
#ifndef TAR_PREFETCH_H
#define TAR_PREFETCH_H

#include <stddef.h>
#include <stdint.h>

#include "tar/read_trace.h"

struct index;

/*
 * A prefetch brings as much as a reader could wait for, a little at a time: a reader of one of
 * the spans waits for all of a run.
 */
#define PREFETCH_MAX (64u << 20)
#define PREFETCH_RUN (2u << 20)
/* Runs at once: enough for round trips to overlap, and most of the link is left to readers. */
#define PREFETCH_THREADS 4

/* Spans [at, end). */
struct span_run {
	uint32_t at;
	uint32_t end;
};

struct prefetch {
	struct span_run *list;
	size_t n;
	size_t head;
	unsigned threads; /* of its owner, which fetch what was in it */
};

/*
 * Adds the spans that have a byte of @r. Each takes what it costs from *budget, and the first
 * that costs more ends it, so that no list, whatever it says, costs more than the budget. What
 * is behind the layer's end is left out.
 */
void prefetch_add(struct prefetch *p, const struct index *ix, const struct byte_range *r,
		  uint64_t *budget);
/* The first run that is not empty; its owner moves `at`. NULL: there is none. */
struct span_run *prefetch_head(struct prefetch *p);
/* Empties it. */
void prefetch_release(struct prefetch *p);

#endif
