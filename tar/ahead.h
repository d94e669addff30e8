/* SPDX-License-Identifier: MIT */
/*
 * Reading ahead: who reads a layer where, and how much to fetch for each.
 *
 * Whoever goes through a layer, in order or nearly so (directories are not in archive
 * order), gets runs that double; a read elsewhere is a new reader, and gets one span, or
 * as many small ones as cost no more than the request itself.
 * Plain data: its owner's lock guards it.
 */
#ifndef TAR_AHEAD_H
#define TAR_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

struct index;

/* As many as one person has going at a time. */
#define AHEAD_READERS 4

struct ahead_reader {
	uint32_t first; /* its last run: spans [first, end) */
	uint32_t end;
	uint32_t missed; /* the span of it that was asked for; end: none, it was a guess */
	uint64_t bytes; /* of output, that its next run is to have; 0: an unused place */
	bool went_on;	/* the run behind the last one was begun */
	uint64_t used;	/* for choosing the one to forget */
};

struct ahead {
	struct ahead_reader readers[AHEAD_READERS];
	uint64_t clock;
};

/* The reader that reads near @span, or a new one; it has missed a span. */
struct ahead_reader *ahead_on_miss(struct ahead *a, const struct index *ix, uint32_t span);
/*
 * The reader that has come to spans fetched for it ahead, and behind whose last run
 * another should be begun; NULL if there is none. Asked once for each run.
 */
struct ahead_reader *ahead_on_hit(struct ahead *a, uint32_t span);
/*
 * Notes the run [first, first + n) that was begun for it, because of a miss of @missed, or
 * ahead (then @missed is behind it).
 */
void ahead_began(struct ahead_reader *r, uint32_t first, uint32_t n, uint32_t missed);

#endif
