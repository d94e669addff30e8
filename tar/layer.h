/* SPDX-License-Identifier: MIT */
/*
 * A layer, open for reading: its index, and its bytes from the store or, if they are not
 * there, from the blob, span by span. This is the interface of tar/ for fs/.
 *
 * Getting the index is the slow part, and happens once for each blob: see layer_load().
 * After that a layer never changes and may be used by any thread.
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
struct span_cache;
struct store;
struct toc_hints;

struct layer;

/* May be read at any time, by any thread. */
enum layer_state {
	LAYER_WAITING, /* nothing done yet, or another process is indexing the layer */
	LAYER_INDEXING,
	LAYER_READY,
	LAYER_BROKEN, /* reading it fails with EIO */
};

struct layer_progress {
	enum layer_state state;
	bool was_stored; /* the index was in the store, or in a lower one */
	bool is_lower;	 /* in a lower one, where it is used in place */
	/*
	 * Valid once LAYER_READY: what the index was made from, and a warning if the
	 * layer's table of contents or the store was not used ("" if there is none).
	 * Borrowed.
	 */
	enum index_basis basis;
	const char *warning;
	uint64_t blob_size;  /* compressed bytes */
	uint64_t blob_done;  /* of them, processed by the first pass */
	uint64_t fetched;    /* compressed bytes read from the blob, for any reason */
	uint64_t spans_read; /* spans that were fetched */
	uint64_t decoded;
	uint32_t entries;
	uint32_t milliseconds; /* duration of loading */
};

/*
 * Creates a layer that is not loaded. @blob provides its compressed bytes; its reference
 * is taken, even on failure. @store is borrowed.
 */
int layer_new(struct store *store, const struct digest *digest, struct source *blob,
	      struct layer **out);
/*
 * Call it before layer_load(). Unreadable hints become a warning. An index beside the layer
 * in them gets another reference.
 */
void layer_set_hints(struct layer *l, const struct toc_hints *hints);
/* Also before layer_load(): a first pass is to compute the diff ID, too (diff_id.h). */
void layer_want_diff_id(struct layer *l);

/* No other call may be active. */
void layer_free(struct layer *l);

/*
 * Gets the index: from the store; or from the layer's table of contents, by a few small
 * requests; or by streaming the layer once, which also fills the store with its decoded
 * bytes. Call it once, from one thread. Many layers may be loaded at once. Returns -EINTR
 * soon after *@cancelled becomes true.
 *
 * If another process is indexing the layer, this waits for it. If that process makes no
 * progress (slot_lock()), the layer is loaded without the store, and progress has a
 * warning.
 *
 * After a failure the layer is LAYER_BROKEN.
 */
int layer_load(struct layer *l, const bool *cancelled, struct err *e);

const struct digest *layer_digest(const struct layer *l);
void layer_progress(const struct layer *l, struct layer_progress *out);
/* NULL until LAYER_READY. Borrowed. */
const struct index *layer_index(const struct layer *l);

/*
 * Makes the decoded bytes [off, off + *len) available. *len is shortened to the end of a
 * span. Either data->fd >= 0 and the bytes are in that file at data->off, or they are in
 * memory at data->mem. They stay there until layer_unget().
 *
 * Waits for the network if needed. @cancelled may be NULL. When *@cancelled becomes true
 * and layer_wake() is called, the wait ends with -EINTR, while the fetch continues in the
 * background. -EBADMSG or -EIO, with a sentence, if the bytes are unavailable. -ESTALE, with
 * the reason: an external index was wrong (index_basis_is_external()), so the layer was
 * streamed, which may have taken long. It has the same tree, but entries must be read again
 * from layer_index(), because contents may be elsewhere.
 */
struct layer_data {
	int fd;
	uint64_t off;
	const void *mem;
	void *pin; /* these two are private to layer.c */
	struct layer *from;
};
int layer_get(struct layer *l, uint64_t off, size_t *len, const bool *cancelled,
	      struct layer_data *data, struct err *e);
/* Whether span @i is in a file, in the store or in a lower one. Its bytes are not checked. */
bool layer_is_stored(const struct layer *l, uint32_t i);
/* Whether the store takes spans, as far as is known. */
bool layer_can_store(const struct layer *l);
/* Are these bytes available, so that layer_get() would not wait? */
bool layer_has(const struct layer *l, uint64_t off, uint64_t len);
/* For layer_trace.c. NULL until LAYER_READY. Borrowed. */
struct span_cache *layer_spans(const struct layer *l);
void layer_unget(struct layer *l, struct layer_data *data);
/*
 * For file_check.c. Reports that an external index is wrong: -ESTALE, -EINTR or an error, as
 * layer_get(). The byte that has the bit of an inode: it was compared with its header. NULL:
 * no file needs that.
 */
int layer_distrust(struct layer *l, const bool *cancelled, struct err *e);
uint8_t *layer_checked(struct layer *l, uint32_t inode);
/* Makes every waiter check its *@cancelled. */
void layer_wake(struct layer *l);

#endif
