/* SPDX-License-Identifier: MIT */
/*
 * A layer, open for reading: its index, and its bytes from the store or, where the
 * store lacks them, from the blob, span by span. The door of tar/ for fs/.
 *
 * Getting the index is the slow part, and happens once per blob: see layer_load().
 * After that a layer is safe in any thread and never changes.
 */
#ifndef TAR_LAYER_H
#define TAR_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "tar/index/index.h"

struct err;
struct source;
struct store;
struct toc_hints;

struct layer;

/* How far it is; read it at any time, from any thread. */
enum layer_state {
	LAYER_WAITING, /* nothing done yet, or another process is at it */
	LAYER_INDEXING,
	LAYER_READY,
	LAYER_BROKEN, /* reads of it are EIO */
};

struct layer_progress {
	enum layer_state state;
	bool was_stored; /* the index was in the store */
	/*
	 * Once it is LAYER_READY: what its index was made from, and why an index that the
	 * layer carries was not used, or the store ("" if it was, or there is none). Borrowed.
	 */
	enum index_basis basis;
	const char *warning;
	uint64_t blob_size;  /* compressed bytes in all */
	uint64_t blob_done;  /* of them, gone through by the first pass */
	uint64_t fetched;    /* compressed bytes taken from the blob, for any reason */
	uint64_t spans_read; /* spans that had to be fetched */
	uint64_t decoded;
	uint32_t entries;
	uint32_t milliseconds; /* that loading took */
};

/*
 * A layer that is not loaded yet. @blob gives its compressed bytes and is taken (also
 * by a failure); @store is borrowed.
 */
int layer_new(struct store *store, const struct digest *digest, struct source *blob,
	      struct layer **out);
/* Before layer_load(). Hints that cannot be read are a warning there. */
void layer_set_hints(struct layer *l, const struct toc_hints *hints);

/* NULL is fine. No call may be under way. */
void layer_free(struct layer *l);

/*
 * Gets the index: from the store, or from the one that the layer carries, by a few small
 * requests, or by streaming the layer once, which also fills the store with its decoded
 * bytes. Call it once, from one thread; many layers may
 * be loaded at once. Ends early with -EINTR when *@cancelled becomes true.
 * Waits for another process that is at it; if that gets no further (slot_lock()), the
 * layer is had without the store, and progress has a warning.
 * A failure leaves the layer LAYER_BROKEN, and layer_error() has the sentence.
 */
int layer_load(struct layer *l, const bool *cancelled, struct err *e);

const struct digest *layer_digest(const struct layer *l);
void layer_progress(const struct layer *l, struct layer_progress *out);
/* Why it is broken; "" when it is not. */
const char *layer_error(const struct layer *l);
/* NULL until LAYER_READY. Borrowed. */
const struct index *layer_index(const struct layer *l);

/*
 * Is the content of a regular file where the index says? Only a SOCI index may be wrong in that,
 * whose spans have digests and whose files have none: then the tar's own header is looked
 * at, once for each file. 0, or as layer_get().
 */
int layer_check_file(struct layer *l, const struct entry *file, const bool *cancelled,
		     struct err *e);

/*
 * Makes the decoded bytes [off, off + *len) ready to be read, and says where: @len is
 * shortened to what one answer can hold (the end of a span). Either data->fd >= 0 and
 * the bytes are in that file at data->off, or they are in memory at data->mem. They
 * stay there until layer_unget().
 *
 * Waits for the network if need be. @cancelled may be NULL; when *@cancelled becomes
 * true and layer_wake() is called the wait ends with -EINTR, while the fetch goes on
 * for the store's sake. -EBADMSG or -EIO when the bytes cannot be had, with a sentence.
 */
struct layer_data {
	int fd;
	uint64_t off;
	const void *mem;
	void *pin; /* private to layer.c */
};
int layer_get(struct layer *l, uint64_t off, size_t *len, const bool *cancelled,
	      struct layer_data *data, struct err *e);
/* Are these bytes at hand, that is, would layer_get() wait for nothing? */
bool layer_has(const struct layer *l, uint64_t off, uint64_t len);
void layer_unget(struct layer *l, struct layer_data *data);
/* Lets every waiter look at its @cancelled. */
void layer_wake(struct layer *l);

#endif
