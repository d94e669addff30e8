/* SPDX-License-Identifier: MIT */
/* An entry of an index as an inode of an image. Pure. */
#ifndef FS_EROFS_ENTRY_H
#define FS_EROFS_ENTRY_H

#include <stdint.h>

struct entry;
struct erofs_inode;
struct index;

/* All but out->id and out->of. */
void erofs_entry_inode(const struct entry *e, struct erofs_inode *out);
/* As erofs_tree.data, for a file of @size. 0 or -EBADMSG. */
int erofs_entry_data(const struct index *ix, const struct entry *e, uint64_t size,
		     uint64_t off, uint64_t *at);

#endif
