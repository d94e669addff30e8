/* SPDX-License-Identifier: MIT */
/*
 * The merged tree of one image: what a container started from it would see, by the rules at
 * the top of match.c.
 *
 * Nothing is merged in advance. A directory is the ordered list of the layers that
 * contribute to it, found when it is first asked for; a name is looked for along that list.
 *
 * All calls but new and free: any thread.
 */
#ifndef FS_TREE_MERGE_H
#define FS_TREE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/tree/layer.h"
#include "fs/tree/merged_dir.h"
#include "tar/index/index.h"

struct match;
struct merge;

/* What the tree shows at one name. */
struct attributes {
	uint64_t node;
	uint64_t ino;
	bool is_dir;
	/* If not, it is a directory that no archive has an entry for: 0755, root, time 0. */
	bool is_described;
	uint32_t layer;	       /* that has the entry, from 0 at the base */
	uint32_t mount_number; /* the same layer among all layers of the mount */
	struct entry entry;    /* of a file: the one that holds the inode */
	uint32_t nlink;	       /* of a file: in its layer, and links from other layers */
};

/*
 * @layers: base first, at most NODE_LAYERS_MAX; copied, but the indexes are borrowed.
 * @image: its number in the mount. Binds the hard links that lead out of their layer.
 * 0, -ENOMEM, -EBADMSG for a damaged index.
 */
int merge_new(const struct tree_layer *layers, size_t n, uint32_t image,
	      struct merge **out);
/* NULL is fine. */
void merge_free(struct merge *m);

/* Borrowed; the base first. */
const struct tree_layer *merge_layers(const struct merge *m);
/* A layer's part in the st_ino of its directories. */
uint64_t merge_dir_seed(const struct merge *m, size_t layer);

/* How many hard links have no target; they are not shown. */
uint32_t merge_unbound(const struct merge *m);
/*
 * The path of the @i-th of them, cut to @size bytes, and the number of its layer. 0,
 * -ENOENT, -EBADMSG, -ENOMEM.
 */
int merge_unbound_path(const struct merge *m, uint32_t i, char *path, size_t size,
		       uint32_t *layer);
/* The @i-th inode to which links of other layers add @n names. False: there are no more. */
bool merge_target(const struct merge *m, uint32_t i, uint32_t *mount_number,
		  uint32_t *inode, uint32_t *n);

/*
 * The directory at the path of a layer's directory entry: of a node, or any other. 0,
 * -ENOENT (the tree has no directory there), -EBADMSG, -ENOMEM. The caller owns one
 * reference, for merged_dir_unref().
 */
int merge_dir(struct merge *m, struct place at, struct merged_dir **out);
int merge_root(struct merge *m, struct merged_dir **out);
/* The directory around @dir; the root's is the root. */
int merge_parent(struct merge *m, const struct merged_dir *dir, struct merged_dir **out);

/* The attributes of the directory itself. 0 or -EBADMSG. */
int merge_describe(const struct merge *m, const struct merged_dir *dir,
		   struct attributes *out);
/* The attributes of a name in a directory. 0, -ENOENT, -EBADMSG, -ENOMEM. */
int merge_lookup(struct merge *m, const struct merged_dir *dir, const char *name,
		 size_t len, struct attributes *out);
/*
 * The attributes of a name that was matched already. @dir: identity_path() of the directory
 * around it. 0, -ENOENT for a hard link without a target, -EBADMSG.
 */
int merge_attributes(const struct merge *m, const struct match *match, uint64_t dir,
		     struct attributes *out);

#endif
