/* SPDX-License-Identifier: MIT */
/*
 * st_ino of a file, made of its path, attributes and content, so that a file of a rebuilt
 * layer has the number that it had before: node.h says why. Pure; any thread.
 */
#ifndef FS_TREE_IDENTITY_H
#define FS_TREE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "tar/index/index.h"

/* The path of the root, to which identity_path() adds names. */
#define IDENTITY_ROOT 0

uint64_t identity_path(uint64_t dir, const char *name, size_t len);
/* The path of the directory around an entry. 0 or -EBADMSG. */
int identity_parent(const struct index *ix, const struct entry *e, uint64_t *dir);

/*
 * The number of inode @e, which is not a directory and has @nlink names in the image.
 * @dir: identity_parent(), which a listing knows anyway. An inode with several names, or
 * whose content is not known for certain, gets the number of its place: node_ino() with the
 * layer's @seed. 0 or -EBADMSG.
 */
int identity_ino(const struct index *ix, const struct entry *e, uint32_t nlink,
		 uint64_t seed, uint64_t dir, uint64_t *ino);

/*
 * Whether the digest of a regular file is certainly that of the bytes that are read:
 * computed in the first pass, or the same that each read is checked against. A table's digest
 * of a file of several chunks is never checked.
 */
bool identity_is_digest_sure(const struct index *ix, const struct entry *e);

#endif
