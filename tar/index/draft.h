/* SPDX-License-Identifier: MIT */
/*
 * The draft of an index: the nodes of a tree under construction, which are rows as in the
 * index file, found by parent and name. A node's number is its position in `rows`. The root
 * is 0 and its own parent. A node that was replaced stays as the inode of the hard links made
 * to it, but can no longer be found.
 */
#ifndef TAR_INDEX_DRAFT_H
#define TAR_INDEX_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "tar/index/format.h"

#define NODE_NONE UINT32_MAX

/*
 * In row.flags, next to enum entry_flag, and never written: no name leads to this node.
 */
#define NODE_DEAD 0x40

struct draft {
	struct index_row *rows;
	uint32_t *chain; /* the next node in the same bucket */
	uint32_t n;
	uint32_t max; /* INDEX_ENTRIES_MAX, or less */
	uint32_t cap;
	uint32_t *buckets; /* their number is a power of two */
	uint32_t n_buckets;
	uint64_t seed;	    /* of the hash */
	struct buf strings; /* names and link texts */
};

/* Initialises with the root. */
int draft_init(struct draft *dr);
void draft_release(struct draft *dr);

/* NODE_NONE if there is no such node. */
uint32_t draft_find(const struct draft *dr, uint32_t parent, const char *name,
		    size_t len);
/*
 * Adds a node that is zero except for the parent, name and inode (itself). -E2BIG or
 * -ENOMEM.
 */
int draft_add(struct draft *dr, uint32_t parent, const char *name, size_t len,
	      uint32_t *id);
/* Removes the name of a node. */
void draft_kill(struct draft *dr, uint32_t id);
/*
 * Names and link texts may take DRAFT_TEXT_MIN bytes, and DRAFT_TEXT_EACH for each node. Real
 * ones are below 50 on average; a malicious archive is stopped there, because they are in
 * memory.
 */
#define DRAFT_TEXT_MIN	(32u << 20)
#define DRAFT_TEXT_EACH 128
/* Appends a text to `strings`. -E2BIG or -ENOMEM. */
int draft_add_text(struct draft *dr, const char *text, size_t len, uint32_t *off);
/* Frees what lookups need. No lookup may follow. */
void draft_seal(struct draft *dr);

static inline bool node_is_dir(const struct index_row *row)
{
	return (row->mode & 0170000) == 0040000;
}

static inline bool node_is_symlink(const struct index_row *row)
{
	return (row->mode & 0170000) == 0120000;
}

#endif
