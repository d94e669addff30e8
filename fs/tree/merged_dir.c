/* SPDX-License-Identifier: MIT */
#include "fs/tree/merged_dir.h"

#include <stdlib.h>

struct merged_dir *merged_dir_new(size_t n)
{
	struct merged_dir *dir = malloc(sizeof(*dir) + n * sizeof(dir->contributors[0]));

	if (dir) {
		dir->refs = 1;
		dir->n = n;
	}
	return dir;
}

struct merged_dir *merged_dir_ref(struct merged_dir *dir)
{
	__atomic_add_fetch(&dir->refs, 1, __ATOMIC_RELAXED);
	return dir;
}

void merged_dir_unref(struct merged_dir *dir)
{
	if (dir && __atomic_sub_fetch(&dir->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(dir);
}
