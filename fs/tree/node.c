/* SPDX-License-Identifier: MIT */
#include "fs/tree/node.h"

#include "base/digest.h"
#include "base/hash.h"
#include "base/num.h"

#define KIND_SHIFT  62
#define IMAGE_SHIFT 42
#define LAYER_SHIFT 32

/* A place is not the same as a list of one place. */
#define KEY_PLACE UINT64_C(0x706c616365)

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
		out->layer = (id >> LAYER_SHIFT) & (NODE_MOUNT_LAYERS_MAX - 1);
	} else {
		out->image = (id >> IMAGE_SHIFT) & (NODE_IMAGES_MAX - 1);
		out->layer = (id >> LAYER_SHIFT) & (NODE_LAYERS_MAX - 1);
	}
}

/* Readers of directories take 0 for "no entry", and many programs take 1 for a root. */
uint64_t node_ino_end(uint64_t sum)
{
	return sum > 1 ? sum : sum + 2;
}

uint64_t node_seed(const struct digest *layer)
{
	return get_le64(layer->bytes);
}

static uint64_t hash_place(uint64_t key, uint64_t seed, uint32_t entry)
{
	struct hash h;

	hash_init(&h, key, seed);
	hash_word(&h, entry);
	return hash_end(&h);
}

uint64_t node_ino(uint64_t seed, uint32_t entry)
{
	return node_ino_end(hash_place(KEY_PLACE, seed, entry));
}

uint64_t node_ino_add(uint64_t sum, uint64_t seed, uint32_t entry)
{
	return hash_place(sum, seed, entry);
}
