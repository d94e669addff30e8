/* SPDX-License-Identifier: MIT */
#include "tar/index/nodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_CAP 1024

/*
 * The seed is random, so an archive cannot choose names that share a bucket. That would
 * make each insertion as expensive as all insertions before it.
 */
static uint32_t hash_name(uint64_t seed, uint32_t parent, const char *name, size_t len)
{
	uint64_t h = seed ^ parent;

	while (len-- > 0) {
		h = (h ^ (unsigned char)*name++) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return (uint32_t)(h ^ h >> 32);
}

static uint32_t *bucket_of(const struct nodes *ns, uint32_t parent, const char *name,
			   size_t len)
{
	return &ns->buckets[hash_name(ns->seed, parent, name, len) & (ns->n_buckets - 1)];
}

static const char *name_of(const struct nodes *ns, uint32_t id)
{
	return ns->strings.data + ns->rows[id].name;
}

/*
 * Doubles the rows, and makes as many buckets as rows: chains stay about one node long.
 */
static int nodes_grow(struct nodes *ns)
{
	uint32_t cap = ns->cap ? ns->cap * 2 : FIRST_CAP;
	struct index_row *rows;
	uint32_t *chain, *buckets, i;

	rows = realloc(ns->rows, cap * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	ns->rows = rows;
	chain = realloc(ns->chain, cap * sizeof(*chain));
	if (!chain)
		return -ENOMEM;
	ns->chain = chain;
	buckets = malloc(cap * sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(ns->buckets);
	ns->buckets = buckets;
	ns->n_buckets = ns->cap = cap;

	memset(buckets, 0xff, cap * sizeof(*buckets));
	for (i = 1; i < ns->n; i++) {
		const struct index_row *row = &ns->rows[i];
		uint32_t *bucket;

		if (row->flags & NODE_DEAD)
			continue;
		bucket = bucket_of(ns, row->parent, name_of(ns, i), row->name_len);
		ns->chain[i] = *bucket;
		*bucket = i;
	}
	return 0;
}

int nodes_init(struct nodes *ns)
{
	int rc;

	memset(ns, 0, sizeof(*ns));
	ns->max = INDEX_ENTRIES_MAX;
	if (getrandom(&ns->seed, sizeof(ns->seed), GRND_NONBLOCK) < 0)
		ns->seed = (uintptr_t)ns;   /* early at boot: better than nothing */
	buf_init(&ns->strings, UINT32_MAX); /* rows have 32 bits for an offset */
	rc = nodes_grow(ns);
	if (rc < 0) {
		nodes_release(ns);
		return rc;
	}
	memset(&ns->rows[0], 0, sizeof(ns->rows[0]));
	ns->n = 1;
	return 0;
}

void nodes_release(struct nodes *ns)
{
	nodes_seal(ns);
	free(ns->rows);
	buf_release(&ns->strings);
	ns->rows = NULL;
	ns->n = ns->cap = 0;
}

void nodes_seal(struct nodes *ns)
{
	free(ns->chain);
	free(ns->buckets);
	ns->chain = ns->buckets = NULL;
	ns->n_buckets = 0;
}

uint32_t nodes_find(const struct nodes *ns, uint32_t parent, const char *name, size_t len)
{
	uint32_t id = *bucket_of(ns, parent, name, len);

	while (id != NODE_NONE) {
		const struct index_row *row = &ns->rows[id];

		if (row->parent == parent && row->name_len == len &&
		    memcmp(name_of(ns, id), name, len) == 0)
			break;
		id = ns->chain[id];
	}
	return id;
}

int nodes_add_text(struct nodes *ns, const char *text, size_t len, uint32_t *off)
{
	uint32_t at = (uint32_t)ns->strings.len;
	int rc = ns->strings.len + len > NODES_TEXT_MIN + (size_t)ns->n * NODES_TEXT_EACH
			 ? -E2BIG
			 : buf_append(&ns->strings, text, len);

	if (rc == 0)
		*off = at;
	return rc;
}

int nodes_add(struct nodes *ns, uint32_t parent, const char *name, size_t len,
	      uint32_t *id)
{
	uint32_t *bucket, at = 0;
	int rc = 0;

	if (ns->n >= ns->max)
		return -E2BIG;
	if (ns->n == ns->cap)
		rc = nodes_grow(ns);
	if (rc == 0)
		rc = nodes_add_text(ns, name, len, &at);
	if (rc < 0)
		return rc;
	ns->rows[ns->n] = (struct index_row){
		.parent = parent,
		.inode = ns->n,
		.name = at,
		.name_len = (uint16_t)(len & 0x1ff),
	};
	bucket = bucket_of(ns, parent, name, len);
	ns->chain[ns->n] = *bucket;
	*bucket = ns->n;
	*id = ns->n++;
	return 0;
}

void nodes_kill(struct nodes *ns, uint32_t id)
{
	struct index_row *row = &ns->rows[id];
	uint32_t *link = bucket_of(ns, row->parent, name_of(ns, id), row->name_len);

	while (*link != id)
		link = &ns->chain[*link];
	*link = ns->chain[id];
	row->flags |= NODE_DEAD;
}
