/* SPDX-License-Identifier: MIT */
/*
 * Blobs as they are in the registry, byte for byte: those of oci/, and the files of an
 * artifact. The store does not keep them, and they cannot be checked in pieces: so one is
 * fetched when it is first read, as a whole, into an unnamed file (of the store or, where
 * that has no room, in TMPDIR), and no byte of it is shown before all of them had its
 * digest. The file lasts until nobody has read it for long.
 *
 * All calls: any thread.
 */
#ifndef FS_IMAGE_RAW_BLOBS_H
#define FS_IMAGE_RAW_BLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mount;
struct mount_layer;
struct waiter;

/*
 * Reads from the blob of a layer, or a file, which need not be pinned. The first one
 * fetches it, in another thread, so that the wait can be ended: -EINTR; then the fetch goes
 * on. Failures are counted and logged; errnos to be seen.
 */
ssize_t raw_blob_read(struct mount *m, struct mount_layer *l, void *buf, size_t size,
		      uint64_t off, struct waiter *w);

/* Closes what was not read for @seconds, and of more than @max the oldest. True: some. */
bool raw_blobs_close_unused(struct mount *m, uint32_t seconds, size_t max);

#endif
