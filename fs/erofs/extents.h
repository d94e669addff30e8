/* SPDX-License-Identifier: MIT */
/*
 * Which block of an image has which file's contents: rows in a file of their own, in the
 * order of the blocks, which they cover without gaps.
 */
#ifndef FS_EROFS_EXTENTS_H
#define FS_EROFS_EXTENTS_H

#include <stdint.h>

struct extent {
	uint64_t id;
	uint64_t off;	/* in the file, of the first block */
	uint32_t block; /* counted from the first block with contents */
	uint32_t slot; /* the 4-byte unit of the image that has the number of the block */
};

/* As many rows from number @i on as there are, up to @n: their number, or negative errno. */
int extents_read(int fd, uint64_t n_rows, uint64_t i, struct extent *out, unsigned n);
/* The number of the row with @block, which must not be before the first. Negative errno. */
int extents_find(int fd, uint64_t n_rows, uint32_t block, uint64_t *i);

#endif
