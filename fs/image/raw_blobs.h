/* SPDX-License-Identifier: MIT */
/*
 * Blobs byte for byte as they are in the registry, for oci/ and the files of an artifact.
 * The store does not keep them, and they cannot be verified in parts. So the first read
 * fetches the whole blob into an unnamed file (in the store or, if that has no room, in
 * TMPDIR), and no byte is shown before all of them match the digest. The file is closed
 * when it is idle.
 *
 * All calls: any thread.
 */
#ifndef FS_IMAGE_RAW_BLOBS_H
#define FS_IMAGE_RAW_BLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct layers;
struct mount_layer;
struct waiter;

/*
 * Reads from the blob of a layer or an artifact's file, which need not be pinned. Another
 * thread fetches it, so that the wait can be ended with -EINTR; the fetch then goes on.
 * Failures are counted and logged; an errno for a program.
 */
ssize_t raw_blob_read(struct mount_layer *l, void *buf, size_t size, uint64_t off,
		      struct waiter *w);

enum raw_blob_state {
	RAW_BLOB_WAITING, /* not read yet, or closed again, or the last fetch failed */
	RAW_BLOB_FETCHING,
	RAW_BLOB_READY,
	RAW_BLOB_BROKEN, /* its bytes do not match the digest */
};

/* *@done: the bytes that the current or last fetch has got. */
enum raw_blob_state raw_blob_progress(const struct mount_layer *l, uint64_t *done);

/* Closes files idle for @seconds, and the oldest of more than @max. True if any. */
bool raw_blobs_close_unused(struct layers *ls, uint32_t seconds, size_t max);

#endif
