/* SPDX-License-Identifier: MIT */
/*
 * Readahead: tracks where each reader of a layer is, and how much to fetch for each reader.
 *
 * A read at a new place is a new reader. It gets one span, or as many small spans as cost
 * no more than the request itself. A reader is sequential if it then asks for several spans
 * in order, or uses a span that was fetched with the first one, or has asked for more spans
 * nearby (directories are not in archive order). A sequential reader gets runs that are
 * four times longer each time. One is started for each position that it reaches, so early
 * that two are always under way.
 *
 * Runs end at multiples of their length in the layer, wherever the reader began. So readers
 * on many machines soon ask for the same ranges, which caches and mirrors between them and
 * the registry have already.
 *
 * Plain data: the lock of its owner guards it.
 */
#ifndef TAR_AHEAD_H
#define TAR_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

struct index;

/* As many as one user keeps active. */
#define AHEAD_READERS 4

struct ahead_reader {
	uint32_t first;	 /* current position */
	uint32_t end;	 /* everything before this is fetched or under way */
	uint32_t missed; /* the span that its first run was started for */
	unsigned misses;
	bool goes_on;	/* it reads sequentially */
	bool has_begun; /* a run was started for this position */
	/*
	 * about as many bytes of output has its next run, a power of four; 0: an unused
	 * slot
	 */
	uint64_t bytes;
	uint64_t used; /* time of last use, for eviction */
};

struct ahead {
	struct ahead_reader readers[AHEAD_READERS];
	uint64_t clock;
};

/* Returns the reader near @span, or a new one. @span was not available. */
struct ahead_reader *ahead_on_miss(struct ahead *a, const struct index *ix,
				   uint32_t span);
/*
 * @span was available. Returns its reader if another run should be started for it behind
 * its end, else NULL.
 */
struct ahead_reader *ahead_on_hit(struct ahead *a, const struct index *ix, uint32_t span);
/*
 * Where a run of about @bytes ends that begins with a span of @len bytes at @start, all of
 * output: spans that begin before that belong to it.
 */
uint64_t ahead_run_end(uint64_t start, uint64_t len, uint64_t bytes);
/*
 * Notes that spans [first, first + n) are being fetched for a reader: because it missed
 * @missed among them, or ahead of it.
 */
void ahead_began_for(struct ahead_reader *r, uint32_t first, uint32_t n, uint32_t missed);
void ahead_began(struct ahead_reader *r, uint32_t first, uint32_t n);

#endif
