/* SPDX-License-Identifier: MIT */
/*
 * A tree as an EROFS image, which holds no contents: they are asked for when they are read.
 * The same tree gives the same bytes.
 */
#ifndef FS_EROFS_IMAGE_H
#define FS_EROFS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/erofs/writer.h"

struct erofs_image;

/*
 * Takes @meta and @extents, new files for what is made, also on failure. Otherwise as
 * writer_write().
 */
int erofs_image_new(const struct erofs_tree *tree, const uint8_t uuid[EROFS_UUID_SIZE],
		    int meta, int extents, const bool *cancelled,
		    struct erofs_image **out);
/* NULL is fine. */
void erofs_image_free(struct erofs_image *im);

uint64_t erofs_image_size(const struct erofs_image *im);
/* How many bytes there are before the contents. */
uint64_t erofs_image_metadata(const struct erofs_image *im);
/* How many xattrs it lacks: xattrs_encode(). */
uint32_t erofs_image_dropped(const struct erofs_image *im);

/* Reads the file with that id; short only at its end. */
typedef ssize_t erofs_read(void *arg, uint64_t id, void *buf, size_t size, uint64_t off);

/* As pread(2). Failures of @read as they are. Any thread. */
ssize_t erofs_image_read(const struct erofs_image *im, void *buf, size_t size,
			 uint64_t off, erofs_read *read, void *arg);

#endif
