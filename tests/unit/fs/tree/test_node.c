/* SPDX-License-Identifier: MIT */
#include "base/digest.h"
#include "fs/tree/node.h"
#include "tests/unit/test.h"

static void check_round(struct node n)
{
	uint64_t id = node_pack(&n);
	struct node back;

	node_unpack(id, &back);
	ok(back.kind == n.kind && back.image == n.image && back.layer == n.layer &&
		   back.entry == n.entry && id != 0,
	   "kind %d image %u layer %u entry %u", n.kind, n.image, n.layer, n.entry);
}

static void check_inos(void)
{
	uint64_t last = 0, seed = UINT64_MAX - 3, sum;
	uint32_t i, bad = 0;

	for (i = 0; i < 100000; i++) {
		uint64_t ino = node_ino(seed, i);

		bad += ino < 2 || ino == last;
		last = ino;
	}
	is_int(bad, 0, "numbers differ from their neighbours and are never 0 or 1");
	ok(node_ino_end(0) > 1 && node_ino_end(1) > 1, "nor is the end of a list");

	sum = node_ino_add(0, 1, 2);
	ok(node_ino_add(sum, 3, 4) != node_ino_add(node_ino_add(0, 3, 4), 1, 2),
	   "the order of a list counts");
	ok(node_ino_end(sum) != node_ino(1, 2), "a list of one is not its member");
	ok(node_ino_add(sum, 1, 2) != sum, "nor is a list of two the same");
}

int main(void)
{
	struct digest a, b;
	struct node n;

	check_round((struct node){NODE_SYNTHETIC, 0, 0, 1});
	check_round((struct node){NODE_SYNTHETIC, NODE_IMAGES_MAX - 1,
				  NODE_LAYERS_MAX - 1, UINT32_MAX});
	check_round((struct node){NODE_FILE, 0, 0, 0});
	check_round((struct node){NODE_FILE, 0, NODE_MOUNT_LAYERS_MAX - 1, UINT32_MAX});
	check_round((struct node){NODE_MERGED, 0, 0, 0});
	check_round((struct node){NODE_MERGED, NODE_IMAGES_MAX - 1, NODE_LAYERS_MAX - 1,
				  UINT32_MAX});
	check_round((struct node){NODE_RAW, 1, 2, 3});

	node_unpack(1, &n);
	ok(n.kind == NODE_SYNTHETIC && n.image == 0 && n.layer == 0 && n.entry == 1,
	   "the kernel's root is the top of the first image");

	check_inos();
	digest_of(DIGEST_SHA256, "a", 1, &a);
	digest_of(DIGEST_SHA256, "b", 1, &b);
	ok(node_ino(node_seed(&a), 7) != node_ino(node_seed(&b), 7), "layers differ");
	return test_done();
}
