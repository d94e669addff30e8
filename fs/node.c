/* SPDX-License-Identifier: MIT */
#include "fs/node.h"

#include "base/digest.h"
#include "base/num.h"

#define KIND_SHIFT  62
#define IMAGE_SHIFT 42
#define LAYER_SHIFT 32

uint64_t node_pack(const struct node *n)
{
	uint64_t where = (uint64_t)n->layer << LAYER_SHIFT | n->entry;

	if (n->kind != NODE_FILE)
		where |= (uint64_t)n->image << IMAGE_SHIFT;
	return (uint64_t)n->kind << KIND_SHIFT | where;
}

void node_unpack(uint64_t id, struct node *out)
{
	out->kind = (enum node_kind)(id >> KIND_SHIFT);
	out->entry = (uint32_t)id;
	if (out->kind == NODE_FILE) {
		out->image = 0;
		out->layer = (id >> LAYER_SHIFT) & (NODE_SLOTS_MAX - 1);
	} else {
		out->image = (id >> IMAGE_SHIFT) & (NODE_IMAGES_MAX - 1);
		out->layer = (id >> LAYER_SHIFT) & (NODE_LAYERS_MAX - 1);
	}
}

/* One to one, and no bit of the result hangs from few bits of @x. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* 0 means "none" to readers of directories, 1 is often taken for a root. */
uint64_t node_ino_end(uint64_t sum)
{
	return sum > 1 ? sum : sum + 2;
}

uint64_t node_seed(const struct digest *layer)
{
	return get_le64(layer->bytes);
}

/* Inside a layer it is one to one, so two inodes never share a number there. */
uint64_t node_ino(uint64_t seed, uint32_t entry)
{
	return node_ino_end(mix(seed + entry));
}

uint64_t node_ino_add(uint64_t sum, uint64_t seed, uint32_t entry)
{
	return mix(mix(seed + entry) + 3 * sum + 1);
}
