/* SPDX-License-Identifier: MIT */
/* Makes a store ready to be read by others, as a lower store (lower.h). */
#ifndef BASE_STORE_SEAL_H
#define BASE_STORE_SEAL_H

struct err;
struct store;

/*
 * Gives everything in the store that is complete the rights to read that its directory
 * gives, and brings it to the disk. Locks and temporary files are removed, and times are
 * set to a fixed one, so that two stores with the same content are equal. A layer that
 * has no index stays closed to others, so that it can be continued.
 *
 * No other process may write to the store: see store_reserve(). 0, or a negative errno
 * and a sentence.
 */
int store_seal(struct store *s, struct err *e);
/*
 * Locks the directory against other callers of this, until the store is closed. -EBUSY and
 * a sentence if another process has the lock.
 */
int store_reserve(struct store *s, struct err *e);

#endif
