/* SPDX-License-Identifier: MIT */
/*
 * st_ino of a file by what it is: its path, its attributes and its content. So a file
 * of a rebuilt layer is, to diff(1) and its like, the very file that it was before; see
 * node.h. Pure; any thread.
 */
#ifndef FS_TREE_IDENTITY_H
#define FS_TREE_IDENTITY_H

#include <stdint.h>

#include "tar/index/index.h"

/* The path of the root, to which names are added. */
#define IDENTITY_ROOT 0

uint64_t identity_path(uint64_t dir, const char *name, size_t len);
/* The path of the directory around an entry. 0 or -EBADMSG. */
int identity_parent(const struct index *ix, const struct entry *e, uint64_t *dir);

/*
 * Of the inode @e, which is no directory and has @nlink names in the image: 0 or
 * -EBADMSG. @dir: identity_parent(), which who lists a directory knows anyway. What has
 * no content that is known for certain, or more names than one, is told by its place:
 * node_ino() of @seed, the layer's.
 */
int identity_ino(const struct index *ix, const struct entry *e, uint32_t nlink,
		 uint64_t seed, uint64_t dir, uint64_t *ino);

#endif
