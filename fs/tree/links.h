/* SPDX-License-Identifier: MIT */
/*
 * The hard links of an image that lead out of their layer, each with what it is
 * bound to. Filled once, base first; then only read, in any thread.
 */
#ifndef FS_TREE_LINKS_H
#define FS_TREE_LINKS_H

#include <stdint.h>

#include "fs/tree/merge.h"

struct links {
	struct link *all; /* once sorted, in order of layer and entry */
	uint32_t n;
	struct target *targets; /* what is linked to, in order of slot and inode */
	uint32_t n_targets;
	uint32_t n_unbound;
};

struct link {
	struct place from;
	struct place to; /* LINK_UNBOUND as layer: nothing */
};

#define LINK_UNBOUND UINT32_MAX

struct target {
	uint32_t slot;
	uint32_t inode;
	uint32_t n;
};

void links_init(struct links *l);
void links_release(struct links *l);
/* Room for @n more. -ENOMEM. */
int links_reserve(struct links *l, uint32_t n);
/* @to NULL: leads nowhere. */
void links_add(struct links *l, struct place from, const struct place *to);
/* What was added can be found from now on. */
void links_sort(struct links *l);
/* Counts the links of each target; @slots: of the image's layers. -ENOMEM. */
int links_count(struct links *l, const struct merge_layer *layers);

/* NULL if it is unknown or leads nowhere. */
const struct place *links_find(const struct links *l, struct place from);
uint32_t links_extra(const struct links *l, uint32_t slot, uint32_t inode);

#endif
