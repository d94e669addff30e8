/* SPDX-License-Identifier: MIT */
/* What an EROFS image is made of: a tree, as the writer asks for it. */
#ifndef FS_EROFS_TREE_H
#define FS_EROFS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/index/index.h"

struct erofs_inode {
	uint64_t id; /* names with one id are hard links */
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink; /* not of a directory */
	int64_t mtime;
	uint32_t mtime_ns;
	uint32_t rdev; /* as st_rdev: its low 32 bits */
	uint64_t size; /* of a regular file */
	bool has_holes;
	const char *link; /* of a symlink, 1 to 4095 bytes */
	size_t link_len;
	const void *of; /* for xattr() and data(), during the call that gave it */
};

/* Takes the next name of a directory. 0 or a failure, which list() returns. */
typedef int erofs_take(void *to, const char *name, size_t len,
		       const struct erofs_inode *inode);

/*
 * One thread calls them. 0 or negative errno, -EBADMSG for a damaged tree. The same tree
 * gives the same answers each time.
 */
struct erofs_tree {
	void *arg;
	uint64_t root;
	/* The directory itself. */
	int (*describe)(void *arg, uint64_t dir, struct erofs_inode *out);
	/* Its names without "." and "..", in order of their bytes. They stay where they are. */
	int (*list)(void *arg, uint64_t dir, erofs_take *take, void *to);
	/* The next xattr after *@pos, 0 at first, which is moved. 1, or 0 at the end. */
	int (*xattr)(void *arg, const struct erofs_inode *inode, uint64_t *pos,
		     struct xattr *out);
	/* Where data is, at @off or later: *@at; the size of the file if there is no more. */
	int (*data)(void *arg, const struct erofs_inode *inode, uint64_t off,
		    uint64_t *at);
};

#endif
