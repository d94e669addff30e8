/* SPDX-License-Identifier: MIT */
/*
 * The tree of one layer as it is in its archive: nothing merged, whiteouts as the files
 * they are. Its files are the very nodes of the merged tree; its directories are
 * NODE_RAW: image, number of the layer in it, entry.
 *
 * All calls: any thread, the view pinned. A layer that is broken has no such
 * tree: -EIO.
 */
#ifndef FS_NODE_RAW_H
#define FS_NODE_RAW_H

#include <stdint.h>

#include "fs/tree/node.h"

struct view;
struct attributes;

/* The root of layer @number of the image. */
void raw_root(const struct view *v, uint32_t number, struct node *out);
/* 0, -EIO, -ESTALE for a node that is no directory, -EBADMSG. */
int raw_describe(struct view *v, const struct node *dir, struct attributes *out);
/* The same of the directory around it; the root's is the root. */
int raw_parent(struct view *v, const struct node *dir, struct attributes *out);
/* -ENOENT too, also for a hard link that leads nowhere in the merged tree. */
int raw_lookup(struct view *v, const struct node *dir, const char *name,
	       struct attributes *out);
/*
 * The next name after *@cookie (0 to begin), which is moved on; @name has NAME_MAX + 1
 * bytes. 1 with a name, 0 at the end.
 */
int raw_next(struct view *v, const struct node *dir, uint64_t *cookie, char *name,
	     struct attributes *out);

#endif
