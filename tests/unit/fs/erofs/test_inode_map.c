/* SPDX-License-Identifier: MIT */
#include "fs/erofs/inode_map.h"
#include "tests/unit/test.h"

int main(void)
{
	struct inode_map m = {.n = 0};
	bool good = true;
	uint32_t i;

	ok(!inode_map_find(&m, 7), "an empty map");
	for (i = 1; i <= 5000; i++)
		good &= !inode_map_find(&m, (uint64_t)i << 20) &&
			inode_map_add(&m, (uint64_t)i << 20, i) == 0;
	ok(good, "ids are added once");
	for (i = 1; i <= 5000; i++)
		good &= inode_map_find(&m, (uint64_t)i << 20)->nid == i;
	ok(good, "and found");
	ok(!inode_map_find(&m, 3), "others are not");
	inode_map_release(&m);
	return test_done();
}
