/* SPDX-License-Identifier: MIT */
/*
 * The metadata of an image as it is laid down, from its start: inodes with their xattrs, and
 * the blocks of directories. One thread.
 */
#ifndef FS_EROFS_METADATA_H
#define FS_EROFS_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "fs/erofs/format.h"

struct child;
struct dirents;
struct erofs_inode;
struct erofs_tree;
struct pages;

struct metadata {
	const struct erofs_tree *tree; /* borrowed */
	struct pages *pages;
	uint64_t at; /* the end of what is laid down */
	uint64_t n_inodes;
	bool has_chunks;
	uint32_t n_dropped;
	struct buf xattrs; /* of the inode at hand */
	size_t root_xattrs;
};

/* @fd is empty and borrowed. 0 or -ENOMEM; metadata_release() in any case. */
int metadata_init(struct metadata *m, const struct erofs_tree *tree, int fd);
void metadata_release(struct metadata *m);

/*
 * All below: 0; -EFBIG: the image would be too large; -ENOMEM, an errno of the file, or what
 * the tree says.
 */

/* Keeps the first place for the root, because its nid has 16 bits. Before all else. */
int metadata_reserve_root(struct metadata *m, const struct erofs_inode *root);
/* Lays down anything but a directory; sets the nid of @c, whose type and size are known. */
int metadata_put_file(struct metadata *m, const struct erofs_inode *from,
		      struct child *c);
/*
 * Lays down a directory: the walk along its names has not begun, and its @parent is set, to
 * 0 for the root. Sets names->self.
 */
int metadata_put_dir(struct metadata *m, const struct erofs_inode *from,
		     struct dirents *names);
/* Fills in where a directory is that is in another one. */
int metadata_put_nid(struct metadata *m, const struct child *c, uint32_t nid);

/* Where the metadata of a file with contents says where these are. */
struct addresses {
	uint64_t at; /* of the first number of a block, of 4 bytes; the others follow */
	uint64_t n;
	uint64_t each; /* for so many bytes of the file */
};

int metadata_addresses(struct metadata *m, const struct child *c, struct addresses *out);
/* Is there a hole in place of contents? */
int metadata_is_hole(struct metadata *m, uint64_t address, bool *out);
int metadata_put_address(struct metadata *m, uint64_t address, uint32_t block);

/* The end: the superblock. Writes everything to the file. */
int metadata_finish(struct metadata *m, const uint8_t uuid[EROFS_UUID_SIZE],
		    uint32_t blocks);

#endif
