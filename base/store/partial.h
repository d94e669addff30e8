/* SPDX-License-Identifier: MIT */
/*
 * The start of a layer's compressed blob, kept while the layer is streamed, so that an
 * interrupted first pass continues where it stopped. It is the file `partial` of the layer's
 * slot, and goes when the layer's index is published.
 *
 * Nothing vouches for its bytes: they may be damaged, or end in zeros after a power cut.
 * The user of these bytes hashes them together with the rest of the blob.
 *
 * It counts against the limit of the store, and is evicted by the time of its last byte. A
 * process that has it open holds an exclusive lock on it, which prevents eviction. It is
 * the first thing that gives way: where it and decoded bytes do not fit, it is given up.
 *
 * All calls but partial_open() accept NULL, for a partial that is not kept.
 */
#ifndef BASE_STORE_PARTIAL_H
#define BASE_STORE_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct partial;
struct slot;
struct store;

/*
 * Opens the partial of a blob of @size bytes, with what an earlier pass left. The caller
 * has slot_lock(); the slot is borrowed. Negative errno if there can be none, which
 * is no trouble: the slot is private, the store keeps no data, the blob is small, the
 * disk is full.
 */
int partial_open(struct slot *sl, uint64_t size, struct partial **out);
/* Keeps the file for a later pass, unless it was given up. No other call may be active. */
void partial_close(struct partial *p);

/* Bytes from the start of the blob that were there when it was opened. */
uint64_t partial_kept(const struct partial *p);
/* The number of bytes read, 0 at the end of the file or if it was given up, or -errno. */
ssize_t partial_read(struct partial *p, void *buf, size_t len, uint64_t off);
/*
 * The bytes of the blob at @off, at most where the file ends; what is there already is
 * skipped. Call store_make_room() before. 0 or negative errno. For one thread at a time.
 */
int partial_append(struct partial *p, const void *data, size_t len, uint64_t off);
/* Removes the file. Any thread. False if that was done before. */
bool partial_give_up(struct partial *p);

/* For the modules of this folder only. */

/* Gives up all that this process has open. False if there was none. */
bool partials_give_up(struct store *s);
/* Bytes on the disk in the layer's directory @dir; *used is the minute of the last one. */
uint64_t partial_bytes(int dir, uint32_t *used);
/* Removes it, unless a process has it open. Bytes that were freed. */
uint64_t partial_evict(int dir);
/* Removes the name. */
void partial_forget(int dir);

#endif
