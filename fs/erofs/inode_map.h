/* SPDX-License-Identifier: MIT */
/* Where the inodes with several names are: a hash table. One thread. */
#ifndef FS_EROFS_INODE_MAP_H
#define FS_EROFS_INODE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros is an empty one. */
struct inode_map {
	struct inode_place *rows;
	size_t n;
	size_t room; /* a power of two, or 0 */
};

struct inode_place {
	uint64_t id;
	uint32_t nid; /* 0: the row is empty */
	bool is_done; /* the user's */
};

void inode_map_release(struct inode_map *m);
/* Borrowed until the map changes. NULL: it is not there. */
struct inode_place *inode_map_find(const struct inode_map *m, uint64_t id);
/* Adds an inode that is not there, and not done; @nid is not 0. 0 or -ENOMEM. */
int inode_map_add(struct inode_map *m, uint64_t id, uint32_t nid);

#endif
