/* SPDX-License-Identifier: MIT */
/*
 * The contents of a layer's files, assembled from what the layer gives span by span, with
 * zeros for holes. The layer is pinned. Any thread.
 */
#ifndef FS_IMAGE_CONTENT_H
#define FS_IMAGE_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct entry;
struct mount_layer;

/*
 * Reads bytes [off, off + size) of a regular file, cut at its end, and never fewer. Waits
 * for the network, until *@cancelled. Failures are counted and logged: -EIO, -EINTR,
 * -EACCES, -ENOMEM.
 */
ssize_t content_read(struct mount_layer *l, const struct entry *file, void *buf,
		     size_t size, uint64_t off, const bool *cancelled);

/* SEEK_DATA and SEEK_HOLE of lseek(2): the offset, -ENXIO, -EIO. */
off_t content_seek(struct mount_layer *l, const struct entry *file, off_t off,
		   int whence);

#endif
