/* SPDX-License-Identifier: MIT */
/*
 * Making a layer's spans ready to be read: see fills.c for how. Safe in any thread.
 */
#ifndef TAR_SPAN_CACHE_H
#define TAR_SPAN_CACHE_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct span_fill;
struct span_cache;
struct index;
struct slot;
struct source;
struct span;
struct store;

/*
 * All are borrowed and outlive it. @data_fd is the slot's; -1 if nothing can be kept on
 * disk: then spans live in memory.
 */
int span_cache_new(const struct index *ix, struct source *blob, struct store *store,
		   struct slot *slot, int data_fd, struct span_cache **out);
/* Waits for what is under way. NULL is fine. */
void span_cache_free(struct span_cache *fs);

/*
 * The first pass has written all decoded bytes below @kept to the data file. Before the
 * first span_cache_get(). 0 or -EBADMSG.
 */
int span_cache_set_kept(struct span_cache *fs, uint64_t kept);

/*
 * Waits until span @span is ready. *hold is NULL when its bytes are in the data file, else
 * it has them in memory until span_cache_unhold(), and *mem says where. Errors, and
 * @cancelled, as layer_get().
 */
int span_cache_get(struct span_cache *fs, uint32_t span, const bool *cancelled,
		   struct span_fill **hold, const void **mem, struct err *e);
/* Would span_cache_get() give it at once, in the data file? */
bool span_cache_has(struct span_cache *fs, uint32_t span);
void span_cache_unhold(struct span_cache *fs, struct span_fill *hold);
/*
 * Begins to fetch what is below the decoded byte @end, in the background and in order, with
 * a ceiling. Once at most.
 */
void span_cache_prefetch(struct span_cache *fs, uint64_t end);
/*
 * Are these bytes span @i, @sp, as the slot keeps it? By the index, or by a checksum from when
 * it was made, where the index says nothing of a span's output.
 */
bool span_cache_check(const struct slot *slot, uint32_t i, const struct span *sp,
		      const void *mem);
/* Lets every waiter look at its *@cancelled. */
void span_cache_wake(struct span_cache *fs);

/* Spans fetched, and their compressed bytes, so far. */
void span_cache_count(const struct span_cache *fs, uint64_t *spans, uint64_t *bytes);

#endif
