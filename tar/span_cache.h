/* SPDX-License-Identifier: MIT */
/*
 * The cache of a layer's decoded spans. It makes a span ready to be read: from the store,
 * or fetched from the blob and decoded, alone or in a run with its neighbours. The source
 * explains how. Safe in any thread.
 */
#ifndef TAR_SPAN_CACHE_H
#define TAR_SPAN_CACHE_H

#include <stdbool.h>
#include <stdint.h>

struct byte_range;
struct err;
struct index;
struct read_trace;
struct source;
struct span_cache;
struct slot;
struct span_fill;
struct span_places;
struct store;

/*
 * The arguments are borrowed and must outlive the cache. @index_fd is as in
 * span_file_open(). Without a data file, spans live in memory.
 */
int span_cache_new(const struct index *ix, struct source *blob, struct store *store,
		   struct slot *slot, int index_fd, struct span_cache **out);
/* Waits for the threads of the cache. */
void span_cache_free(struct span_cache *c);

/*
 * Notes that the data file has all decoded bytes below @end, verified. Call it before the
 * first span_cache_get(). 0 or -EBADMSG.
 */
int span_cache_set_stored(struct span_cache *c, uint64_t end);

/*
 * Waits until span @span is ready. If its bytes are in a file, *pin is NULL, and they are in
 * *fd, which is borrowed, at the offset that they have in the layer. Else *mem points to
 * them, and they stay there until span_cache_unpin(). Errors and @cancelled are as in
 * layer_get().
 */
int span_cache_get(struct span_cache *c, uint32_t span, const bool *cancelled,
		   struct span_fill **pin, const void **mem, int *fd, struct err *e);
/* Is the span ready in the data file, so that span_cache_get() would not wait? */
bool span_cache_has(struct span_cache *c, uint32_t span);
void span_cache_unpin(struct span_cache *c, struct span_fill *pin);
/*
 * Fetches the spans of @r in the background, after those of earlier calls, and in a few runs at
 * once. Left out are those that are there or under way, and what *budget does not allow:
 * prefetch_add().
 */
void span_cache_prefetch(struct span_cache *c, const struct byte_range *r,
			 uint64_t *budget);
/* What was read. Borrowed. */
struct read_trace *span_cache_trace(struct span_cache *c);
/* Makes every waiter check its *@cancelled. */
void span_cache_wake(struct span_cache *c);

/* Where its spans are kept. Borrowed. */
const struct span_places *span_cache_places(const struct span_cache *c);
/* The spans fetched so far, and their compressed bytes. */
void span_cache_count(const struct span_cache *c, uint64_t *spans, uint64_t *bytes);

#endif
