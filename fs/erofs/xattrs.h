/* SPDX-License-Identifier: MIT */
#ifndef FS_EROFS_XATTRS_H
#define FS_EROFS_XATTRS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct erofs_inode;
struct erofs_tree;

/* What an inode can count. */
#define EROFS_XATTRS_MAX (12 + 4 * (UINT16_MAX - 1))

/*
 * All xattrs of an inode as they follow it: into @out, which has that ceiling and is
 * cleared first; nothing if there are none. Adds to *@dropped those that EROFS cannot
 * express: with another prefix than user., trusted., security. and the ACLs of POSIX, with
 * a value of 64 KiB, or beyond the ceiling. 0, -ENOMEM, or what the tree says.
 */
int xattrs_encode(const struct erofs_tree *tree, const struct erofs_inode *inode,
		  struct buf *out, uint32_t *dropped);
/* The field of the inode for so many bytes, and back. */
uint16_t xattrs_count(size_t bytes);
size_t xattrs_bytes(uint16_t count);

#endif
