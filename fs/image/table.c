/* SPDX-License-Identifier: MIT */
#include "fs/image/table.h"

#include <errno.h>
#include <stdlib.h>

void table_release(struct table *t)
{
	uint32_t i;

	for (i = 0; i < TABLE_CHUNKS && t->chunks[i]; i++)
		free(t->chunks[i]);
}

int table_add(struct table *t, void *item, uint32_t *number)
{
	uint32_t n = t->n, chunk = n / TABLE_CHUNK;

	if (n == TABLE_ITEMS_MAX)
		return -ENOSPC;
	if (!t->chunks[chunk]) {
		t->chunks[chunk] = calloc(TABLE_CHUNK, sizeof(void *));
		if (!t->chunks[chunk])
			return -ENOMEM;
	}
	t->chunks[chunk][n % TABLE_CHUNK] = item;
	*number = n;
	/* A thread that sees the count sees the item. */
	__atomic_store_n(&t->n, n + 1, __ATOMIC_RELEASE);
	return 0;
}

void table_set(struct table *t, uint32_t number, void *item)
{
	t->chunks[number / TABLE_CHUNK][number % TABLE_CHUNK] = item;
}

void *table_get(const struct table *t, uint32_t number)
{
	if (number >= table_count(t))
		return NULL;
	return t->chunks[number / TABLE_CHUNK][number % TABLE_CHUNK];
}

uint32_t table_count(const struct table *t)
{
	return __atomic_load_n(&t->n, __ATOMIC_ACQUIRE);
}
