/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a layer's files, put together from what the layer gives span by span,
 * with zeros for the holes.
 */
#ifndef FS_IMAGE_CONTENT_H
#define FS_IMAGE_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct entry;
struct mount;
struct mount_layer;

/*
 * Bytes [off, off + size) of a regular file, cut at its end. Never fewer: a file is
 * read right or not at all. Waits for the network, until *@cancelled. Failures are
 * counted and logged: -EIO, -EINTR, -EACCES, -ENOMEM.
 */
ssize_t content_read(struct mount *m, struct mount_layer *l, const struct entry *file,
		     void *buf, size_t size, uint64_t off, const bool *cancelled);

/* SEEK_DATA and SEEK_HOLE, as lseek(2): the offset, -ENXIO, -EINVAL, -EIO. */
off_t content_seek(struct mount *m, struct mount_layer *l, const struct entry *file,
		   off_t off, int whence);

#endif
