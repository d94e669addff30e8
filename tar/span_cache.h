/* SPDX-License-Identifier: MIT */
/*
 * Making a layer's spans ready to be read: see fills.c for how. Safe in any thread.
 */
#ifndef TAR_SPAN_CACHE_H
#define TAR_SPAN_CACHE_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct fill;
struct fills;
struct index;
struct slot;
struct source;
struct span;
struct store;

/*
 * All are borrowed and outlive it. @data_fd is the slot's; -1 if nothing can be kept on
 * disk: then spans live in memory.
 */
int fills_new(const struct index *ix, struct source *blob, struct store *store,
	      struct slot *slot, int data_fd, struct fills **out);
/* Waits for what is under way. NULL is fine. */
void fills_free(struct fills *fs);

/*
 * The first pass has written all decoded bytes below @kept to the data file. Before the
 * first fills_get(). 0 or -EBADMSG.
 */
int fills_set_kept(struct fills *fs, uint64_t kept);

/*
 * Waits until span @span is ready. *hold is NULL when its bytes are in the data file, else
 * it has them in memory until fills_unhold(), and *mem says where. Errors, and
 * @cancelled, as layer_get().
 */
int fills_get(struct fills *fs, uint32_t span, const bool *cancelled, struct fill **hold,
	      const void **mem, struct err *e);
/* Would fills_get() give it at once, in the data file? */
bool fills_has(struct fills *fs, uint32_t span);
void fills_unhold(struct fills *fs, struct fill *hold);
/*
 * Begins to fetch what is below the decoded byte @end, in the background and in order, with
 * a ceiling. Once at most.
 */
void fills_prefetch(struct fills *fs, uint64_t end);
/*
 * Are these bytes span @i, @sp, as the slot keeps it? By the index, or by a checksum from when
 * it was made, where the index says nothing of a span's output.
 */
bool fills_check(const struct slot *slot, uint32_t i, const struct span *sp,
		 const void *mem);
/* Lets every waiter look at its *@cancelled. */
void fills_wake(struct fills *fs);

/* Spans fetched, and their compressed bytes, so far. */
void fills_count(const struct fills *fs, uint64_t *spans, uint64_t *bytes);

#endif
