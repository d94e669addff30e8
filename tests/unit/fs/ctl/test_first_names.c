/* SPDX-License-Identifier: MIT */
#include "fs/ctl/first_names.h"

#include <stdio.h>

#include "tests/unit/test.h"

/* As node ids of files are: a kind, a layer, an entry. */
static uint64_t node_of(uint64_t i)
{
	return UINT64_C(1) << 62 | (i % 7) << 32 | i;
}

int main(void)
{
	struct first_names f;
	char name[32];
	uint64_t i;
	int rc = 0;

	first_names_init(&f);
	ok(first_names_get(&f, node_of(1)) == NULL, "the first names");
	for (i = 0; rc == 0 && i < 5000; i++) {
		snprintf(name, sizeof(name), "name %d", (int)i);
		rc = first_names_add(&f, node_of(i), name);
	}
	is_int(rc, 0, "the first names");
	for (i = 0; rc == 0 && i < 5000; i++) {
		snprintf(name, sizeof(name), "name %d", (int)i);
		is_text(first_names_get(&f, node_of(i)), name, "the first names");
	}
	ok(first_names_get(&f, node_of(5000)) == NULL, "the first names");
	first_names_release(&f);
	return test_done();
}
