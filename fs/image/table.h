/* SPDX-License-Identifier: MIT */
/*
 * Numbers that are never reused, each for a pointer. The table grows but never moves, so a
 * lookup takes no lock.
 */
#ifndef FS_IMAGE_TABLE_H
#define FS_IMAGE_TABLE_H

#include <stdint.h>

#define TABLE_CHUNK	4096u
#define TABLE_CHUNKS	1024u
#define TABLE_ITEMS_MAX (TABLE_CHUNK * TABLE_CHUNKS)

/* All zero: empty. */
struct table {
	uint32_t n; /* atomic */
	void **chunks[TABLE_CHUNKS];
};

/* Frees the table, not the items. */
void table_release(struct table *t);
/* Adds an item; *number is its number. Under a lock of the caller. -ENOMEM, -ENOSPC. */
int table_add(struct table *t, void *item, uint32_t *number);
/* Another item for a number that was added, under the same lock. */
void table_set(struct table *t, uint32_t number, void *item);
/* NULL if no item has the number. Any thread, if the item is never replaced. */
void *table_get(const struct table *t, uint32_t number);
uint32_t table_count(const struct table *t);

#endif
