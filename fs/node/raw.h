/* SPDX-License-Identifier: MIT */
/*
 * Directories of one layer as they are in its archive: nothing merged, whiteouts as the
 * files they are. Its files are the nodes of the merged tree; its directories are NODE_RAW:
 * image, number of the layer in it, entry. A broken layer has no such tree: -EIO.
 */
#ifndef FS_NODE_RAW_H
#define FS_NODE_RAW_H

#include "fs/node/node_ops.h"

/* The root of layer @number of the image, which is pinned. */
int raw_describe_root(const struct nodes *n, struct view *v, uint32_t number,
		      struct item *out);

#endif
