/* SPDX-License-Identifier: MIT */
/* The merged tree of an image as the EROFS writer asks for it. */
#ifndef FS_EROFS_MERGED_TREE_H
#define FS_EROFS_MERGED_TREE_H

#include "fs/erofs/tree.h"
#include "fs/tree/merge.h"

struct merged_tree {
	struct erofs_tree tree;
	struct merge *merge;
	struct attributes dir; /* the last one that was described */
};

/*
 * Borrows @m. The id of a file is its node (node.h). @t stays where it is while t->tree is
 * used. 0, -EBADMSG, -ENOMEM.
 */
int merged_tree_init(struct merged_tree *t, struct merge *m);

#endif
