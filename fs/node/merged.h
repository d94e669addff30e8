/* SPDX-License-Identifier: MIT */
/* Directories of the merged tree of an image. */
#ifndef FS_NODE_MERGED_H
#define FS_NODE_MERGED_H

#include "fs/node/node_ops.h"

/* The root of the tree, as rootfs/. The image is pinned and has a merge. */
int merged_describe_root(const struct nodes *n, const struct view *v, struct item *out);

#endif
