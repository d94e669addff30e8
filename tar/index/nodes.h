/* SPDX-License-Identifier: MIT */
/*
 * The nodes of a tree that is being built: rows as the index file has them, found by
 * parent and name. A node's number is its place in `rows`; the root is 0 and its own
 * parent. A node that was replaced stays, as the inode of the hard links laid to it,
 * but is found no more.
 */
#ifndef TAR_INDEX_NODES_H
#define TAR_INDEX_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "tar/index/format.h"

#define NODE_NONE UINT32_MAX

/* In row.flags, beside enum entry_flag, and never written: no name leads to it. */
#define NODE_DEAD 0x80

struct nodes {
	struct index_row *rows;
	uint32_t *chain; /* the next node of the same bucket */
	uint32_t n;
	uint32_t cap;
	uint32_t *buckets; /* a power of two of them */
	uint32_t n_buckets;
	uint64_t seed;	    /* of the hash */
	struct buf strings; /* names and link texts */
};

/* With the root in it. */
int nodes_init(struct nodes *ns);
void nodes_release(struct nodes *ns);

/* NODE_NONE if there is none. */
uint32_t nodes_find(const struct nodes *ns, uint32_t parent, const char *name,
		    size_t len);
/* A new node, all zero but parent, name and inode (itself). -E2BIG, -ENOMEM. */
int nodes_add(struct nodes *ns, uint32_t parent, const char *name, size_t len,
	      uint32_t *id);
/* Takes the name from a node. */
void nodes_kill(struct nodes *ns, uint32_t id);
/* A text kept in `strings`. -E2BIG, -ENOMEM. */
int nodes_add_text(struct nodes *ns, const char *text, size_t len, uint32_t *off);
/* No node is looked up any more: gives back what looking up needs. */
void nodes_seal(struct nodes *ns);

static inline bool node_is_dir(const struct index_row *row)
{
	return (row->mode & 0170000) == 0040000;
}

static inline bool node_is_symlink(const struct index_row *row)
{
	return (row->mode & 0170000) == 0120000;
}

#endif
