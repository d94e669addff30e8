/* SPDX-License-Identifier: MIT */
/*
 * The hard links of an image whose target is in a lower layer, each with the entry that it
 * is bound to. Filled once, base first; then read-only, in any thread.
 */
#ifndef FS_TREE_LINKS_H
#define FS_TREE_LINKS_H

#include <stdint.h>

#include "fs/tree/layer.h"

struct links {
	struct link *list; /* after links_sort(): in order of layer and entry */
	uint32_t n;
	struct target *targets; /* in order of layer and inode */
	uint32_t n_targets;
	uint32_t n_unbound;
};

struct link {
	struct place from;
	struct place to; /* .layer is LINK_UNBOUND: no target */
};

#define LINK_UNBOUND UINT32_MAX

/* An inode that @n such links lead to. */
struct target {
	uint32_t mount_number; /* of its layer, in the mount */
	uint32_t inode;
	uint32_t n;
};

/* All zeros is an empty one. */
void links_release(struct links *l);
/* Makes room for @n more. 0 or -ENOMEM. */
int links_reserve(struct links *l, uint32_t n);
/* @to is NULL for a link without a target. */
void links_add(struct links *l, struct place from, const struct place *to);
/* Needed before links_find() sees what was added. */
void links_sort(struct links *l);
/* Counts the links to each target; @layers: of the image. 0 or -ENOMEM. */
int links_count(struct links *l, const struct tree_layer *layers);

/* The entry that a link is bound to; NULL if there is no such link or no target. */
const struct place *links_find(const struct links *l, struct place from);
/* How many names links of other layers add to an inode; after links_count(). */
uint32_t links_extra(const struct links *l, uint32_t mount_number, uint32_t inode);

#endif
