/* SPDX-License-Identifier: MIT */
/*
 * Numbers for things that are never taken back: a table that grows and never moves, so
 * that looking a number up takes no lock.
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

/* Frees what the table itself has. */
void table_release(struct table *t);
/* One more; *number is its own. The caller's lock. -ENOMEM, -ENOSPC. */
int table_add(struct table *t, void *item, uint32_t *number);
/* NULL if there is none. Any thread. */
void *table_get(const struct table *t, uint32_t number);
uint32_t table_count(const struct table *t);

#endif
