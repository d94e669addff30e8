/* SPDX-License-Identifier: MIT */
/*
 * One layer as the EROFS writer asks for it, in the form that overlayfs stacks: a whiteout
 * is a character device 0:0 of the name that it hides, and a directory that hides the lower
 * ones has the xattr trusted.overlay.opaque.
 */
#ifndef FS_EROFS_LAYER_TREE_H
#define FS_EROFS_LAYER_TREE_H

#include <stdint.h>

#include "fs/erofs/tree.h"
#include "tar/index/index.h"

struct layer_tree {
	struct erofs_tree tree;
	const struct index *index;
	uint32_t number;
	struct entry dir; /* the last one that was described */
};

/*
 * Borrows @ix, which must have no links to other layers (n_foreign): the layer alone does
 * not say what these are. The id of a file is its node (node.h) in the layer @number of the
 * mount; no other answer depends on that. @t stays where it is while t->tree is used.
 */
void layer_tree_init(struct layer_tree *t, const struct index *ix, uint32_t number);

#endif
