/* SPDX-License-Identifier: MIT */
#include "base/idmap.h"

#include "tests/unit/test.h"

/* As node ids of files are: a kind, a layer, an entry. */
static uint64_t node_of(uint64_t i)
{
	return UINT64_C(1) << 62 | (i % 7) << 32 | i;
}

static void test_ids(uint64_t (*id)(uint64_t i), const char *what)
{
	struct idmap m = {.n = 0};
	size_t i, n = 0;
	int rc = 0;
	bool good = true;

	ok(!idmap_find(&m, id(7)), "%s: an empty map", what);
	for (i = 1; rc == 0 && i <= 5000; i++) {
		good &= !idmap_find(&m, id(i));
		rc = idmap_add(&m, id(i), i * i);
	}
	is_int(rc, 0, "ids are added");
	for (i = 1; rc == 0 && i <= 5000; i++)
		good &= *idmap_find(&m, id(i)) == i * i;
	ok(good, "once, and found");
	ok(!idmap_find(&m, id(5001)), "others are not");
	for (i = 0; i < m.n_rows; i++)
		n += m.rows[i].value != 0;
	ok(rc < 0 || (n == 5000 && m.n == n), "a walk meets each once");
	if (rc == 0)
		*idmap_find(&m, id(1)) = 77;
	ok(rc < 0 || *idmap_find(&m, id(1)) == 77, "a value is changed");
	idmap_release(&m);
	ok(!idmap_find(&m, id(1)), "and released");
}

static uint64_t shifted(uint64_t i)
{
	return i << 20;
}

static uint64_t plain(uint64_t i)
{
	return i - 1;
}

int main(void)
{
	test_ids(node_of, "nodes of files");
	test_ids(shifted, "numbers that differ in high bits");
	test_ids(plain, "numbers from 0 on");
	return test_done();
}
