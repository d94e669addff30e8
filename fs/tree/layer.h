/* SPDX-License-Identifier: MIT */
#ifndef FS_TREE_LAYER_H
#define FS_TREE_LAYER_H

#include <stdbool.h>
#include <stdint.h>

struct index;

/* A layer of an image, as the merge needs it. */
struct tree_layer {
	const struct index *index; /* borrowed */
	uint32_t mount_number;	   /* of the layer among all layers of the mount */
	uint64_t seed;		   /* node_seed() of its digest */
	bool by_place;		   /* st_ino of a file says where it is, not what it is */
};

/* An entry of a layer of one image; layers are numbered from 0 at the base. */
struct place {
	uint32_t layer;
	uint32_t entry;
};

#endif
