/* SPDX-License-Identifier: MIT */
#ifndef FS_EROFS_WRITER_H
#define FS_EROFS_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/erofs/format.h"

struct erofs_tree;

struct erofs_written {
	uint32_t first;	 /* the first block with contents: those before it are written */
	uint32_t blocks; /* in all */
	uint64_t n_extents; /* extents.h */
	uint32_t n_dropped; /* xattrs: xattrs_encode() */
};

/*
 * Writes everything but the contents into @meta, and where the contents are into @extents:
 * empty files. *@cancelled (NULL: never), atomic, ends it with -EINTR. 0; -EFBIG: a file of
 * over 2 PiB, or 16 TiB of contents in all; -EBADMSG: names out of order, or what the tree
 * says; -ENOMEM; an errno of the files.
 */
int writer_write(const struct erofs_tree *tree, const uint8_t uuid[EROFS_UUID_SIZE],
		 int meta, int extents, const bool *cancelled, struct erofs_written *out);

#endif
