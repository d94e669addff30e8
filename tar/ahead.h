/* SPDX-License-Identifier: MIT */
/*
 * Reading ahead: who reads a layer where, and how much to fetch for each.
 *
 * A read somewhere is a new reader, and gets one span, or as many small ones as cost no
 * more than the request itself. Who then asks for what is next to it, or reads what came
 * beside it, or has asked for a few spans near there, goes through the layer, in order or
 * nearly so (directories are not in archive order): it gets runs four times as long
 * each, begun so early that two are always on their way.
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
	uint32_t first;	 /* it is here, */
	uint32_t end;	 /* and all before this is there or was begun */
	uint32_t missed; /* the span that its first run was begun for */
	unsigned misses;
	bool goes_on; /* it is known to go through the layer */
	/* of output, that its next run is to have; 0: an unused place */
	uint64_t bytes;
	uint64_t used; /* for choosing the one to forget */
};

struct ahead {
	struct ahead_reader readers[AHEAD_READERS];
	uint64_t clock;
};

/* The reader that reads near @span, or a new one; it has missed a span. */
struct ahead_reader *ahead_on_miss(struct ahead *a, const struct index *ix,
				   uint32_t span);
/*
 * The reader that reads @span, which is there, if for that a run should be begun behind
 * its end; else NULL.
 */
struct ahead_reader *ahead_on_hit(struct ahead *a, const struct index *ix, uint32_t span);
/*
 * Notes that spans [first, first + n) were begun for it: because it missed @missed in
 * them, or ahead of it.
 */
void ahead_began_for(struct ahead_reader *r, uint32_t first, uint32_t n, uint32_t missed);
void ahead_began(struct ahead_reader *r, uint32_t first, uint32_t n);

#endif
