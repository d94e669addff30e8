/* SPDX-License-Identifier: MIT */
/*
 * The store: what crossed the network, on disk, by digest.
 *
 *	DIR/documents/ALG/HEX       a manifest, index or config, whole
 *	DIR/names/HEX               a small note under a name's SHA-256 (a tag's last digest)
 *	DIR/layers/ALG/HEX/index    a layer's index; never changes once there
 *	DIR/layers/ALG/HEX/data     the layer's decoded bytes at their offsets, sparse
 *	DIR/layers/ALG/HEX/filled   one bit a span: is it in data?
 *	DIR/layers/ALG/HEX/lock     held exclusively while the layer is indexed
 *	DIR/tmp/                    files being written
 *
 * A file appears under its name by rename, after fsync, or not at all: a kill at
 * any moment leaves at worst a file in tmp/, removed by a later open. `data` and
 * `filled` are the exception: bits are set after the bytes are written, and what
 * is read back is checked by its reader, so a power cut costs a second fetch and
 * never shows a wrong byte.
 *
 * Any number of processes and threads may use one directory at once.
 */
#ifndef BASE_STORE_H
#define BASE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct buf;
struct err;

struct store;

/*
 * Opens the store in @dir, which is made with mode 0700 if missing; NULL is the
 * user's own place ($XDG_CACHE_HOME/peelfs; for root /var/cache/peelfs). A
 * directory that is not ours, or cannot be written, is an error with a sentence.
 */
int store_open(const char *dir, struct store **out, struct err *e);
/*
 * A store for one process, in unnamed files that vanish with it: where the real
 * one cannot be had.
 */
int store_open_private(struct store **out, struct err *e);
/* NULL is fine. Slots must be gone. */
void store_close(struct store *s);
/* The directory; NULL for a private store. Borrowed. */
const char *store_dir(const struct store *s);

/*
 * A document of at most @max bytes by its digest. Its bytes are checked: 0 or
 * -ENOENT, also for one that is damaged. @out is an empty buf.
 */
int store_get_document(struct store *s, const struct digest *d, size_t max, struct buf *out);
/* 0 or negative errno; the caller may go on without. */
int store_put_document(struct store *s, const struct digest *d, const void *data, size_t len);

/*
 * A note under a name (at most 4 KiB of text), replaced by a later one: the digest a
 * tag last had. Nothing vouches for it but the directory's mode.
 */
int store_get_note(struct store *s, const char *name, struct buf *out);
int store_put_note(struct store *s, const char *name, const char *text);

/* One layer's place in the store. */
struct slot;

int store_slot(struct store *s, const struct digest *layer, struct slot **out, struct err *e);
void slot_close(struct slot *sl);

/*
 * The right to index this layer, for one process and thread: waits for whoever has
 * it, at most until *@cancelled. A process that dies gives it up. Check for an
 * index again once it is yours. @cancelled may be NULL.
 */
int slot_lock(struct slot *sl, const bool *cancelled);
void slot_unlock(struct slot *sl);

/* A descriptor of the index, the caller's to close, or -ENOENT. */
int slot_open_index(struct slot *sl);
/* Removes an index that proved damaged, with the layer's data. */
void slot_drop(struct slot *sl);
/* A descriptor of a new unnamed file for the index, the caller's, or negative errno. */
int slot_new_index(struct slot *sl);
/* Makes what was written to @fd the layer's index: fsync, then its name. */
int slot_publish_index(struct slot *sl, int fd);

/*
 * The descriptor of the decoded bytes, opened for reading and writing; it lives
 * as long as the slot. Negative errno if there can be none.
 */
int slot_data(struct slot *sl);

/*
 * The map of what is filled, @n bits, shared by all processes. Asked for once
 * after the index is known. slot_is_filled() and slot_set_filled() are wait-free.
 */
int slot_map(struct slot *sl, size_t n);
bool slot_is_filled(const struct slot *sl, size_t i);
void slot_set_filled(struct slot *sl, size_t i, bool filled);

#endif
