/* SPDX-License-Identifier: MIT */
/*
 * A slot is one layer's place in the store: its lock, its index, its decoded bytes and
 * the rows of its spans.
 *
 * Every slot of a private store is private: its files are unnamed, and nothing of it
 * outlives the process. So is a slot whose directory cannot be created (a full disk).
 */
#ifndef BASE_STORE_SLOT_H
#define BASE_STORE_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest;
struct err;
struct slot;
struct store;

/* 0 or -ENOMEM. The store is borrowed. */
int slot_open(struct store *s, const struct digest *layer, struct slot **out);
/* Gives up the lock too. NULL is fine. */
void slot_close(struct slot *sl);

/*
 * Takes the right to index this layer, which one process and thread has at a time. Waits
 * for the holder, until *@cancelled is set (-EINTR; @cancelled may be NULL). A process
 * that dies loses the lock. Look for an index again once the lock is taken. If the store
 * cannot create a lock file, everybody gets the right.
 *
 * -ETIMEDOUT, with a sentence that names the file, if the holder makes no progress for as
 * long as store_set_patience() says: it may be stopped. Because it may resume, its files
 * must be left alone: continue after slot_make_private(), or without the layer.
 */
int slot_lock(struct slot *sl, const bool *cancelled, struct err *e);
void slot_unlock(struct slot *sl);
/* Turns it into a private slot. It must not be locked or in use. */
void slot_make_private(struct slot *sl);
/*
 * Reports progress, for those who wait for any lock of this process: a locked layer may
 * have to wait for another one's transfer. Cheap enough to call for each chunk of data.
 */
void store_note_work(struct store *s);

/* A descriptor of the index, owned by the caller, or -ENOENT. */
int slot_open_index(struct slot *sl);
/*
 * Whether the layer's index is still the one that this slot opened or published last. If
 * not, data and spans that were opened in the meantime may belong to another index:
 * slot_forget() them and start again.
 */
bool slot_has_index(const struct slot *sl);
/* Closes data and rows. */
void slot_forget(struct slot *sl);
/*
 * Removes a damaged index, and the layer's data with it. Without slot_lock(), only if
 * slot_has_index(), and if no other process has the lock.
 */
void slot_drop(struct slot *sl);
/*
 * A descriptor of a new unnamed file for the index, owned by the caller, or negative
 * errno.
 */
int slot_new_index(struct slot *sl);
/* Makes @fd the layer's index: fsync, then its name. The partial (partial.h) goes then. */
int slot_publish_index(struct slot *sl, int fd);

/*
 * Makes a copy of @fd, the index of this layer in another store, this slot's index, so that
 * slot_data() and slot_map() are for it. Does not wait. 0 also if the slot has the same index
 * already. A negative errno if that is not possible now: -EEXIST if it has another index,
 * -EBUSY if somebody has the lock.
 */
int slot_adopt_index(struct slot *sl, int fd);

/*
 * The descriptor of the decoded bytes, for reading and writing, or negative errno. It
 * belongs to the slot, and prevents eviction from this layer while the slot is open.
 */
int slot_data(struct slot *sl);

/*
 * Maps the rows of @n spans, which all processes share. To be called once, when the index
 * is known. The calls below are wait-free, and safe while another thread is in this one;
 * before it no span is ever filled.
 */
int slot_map(struct slot *sl, size_t n);
bool slot_has_map(const struct slot *sl);
/* Whether span @i is in data. */
bool slot_is_filled(const struct slot *sl, size_t i);
/*
 * Span @i is now in bytes [off, off + len) of data; with @len 0, it is no longer there.
 */
void slot_set_filled(struct slot *sl, size_t i, uint64_t off, uint32_t len);
/* Whether the row of span @i, which is filled, has this place. */
bool slot_is_sound(const struct slot *sl, size_t i, uint64_t off, uint32_t len);
/* A word stored with span @i, for a checksum: to be set before the span is filled. */
void slot_set_word(struct slot *sl, size_t i, uint32_t word);
uint32_t slot_word(const struct slot *sl, size_t i);
/* Records that span @i is read, so that others are evicted first. */
void slot_touch(struct slot *sl, size_t i);

#endif
