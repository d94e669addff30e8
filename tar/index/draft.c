/* SPDX-License-Identifier: MIT */
#include "tar/index/draft.h"

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

static uint32_t *bucket_of(const struct draft *dr, uint32_t parent, const char *name,
			   size_t len)
{
	return &dr->buckets[hash_name(dr->seed, parent, name, len) & (dr->n_buckets - 1)];
}

static const char *name_of(const struct draft *dr, uint32_t id)
{
	return dr->strings.data + dr->rows[id].name;
}

/*
 * Doubles the rows, and makes as many buckets as rows: chains stay about one node long.
 */
static int draft_grow(struct draft *dr)
{
	uint32_t cap = dr->cap ? dr->cap * 2 : FIRST_CAP;
	struct index_row *rows;
	uint32_t *chain, *buckets, i;

	rows = realloc(dr->rows, cap * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	dr->rows = rows;
	chain = realloc(dr->chain, cap * sizeof(*chain));
	if (!chain)
		return -ENOMEM;
	dr->chain = chain;
	buckets = malloc(cap * sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(dr->buckets);
	dr->buckets = buckets;
	dr->n_buckets = dr->cap = cap;

	memset(buckets, 0xff, cap * sizeof(*buckets));
	for (i = 1; i < dr->n; i++) {
		const struct index_row *row = &dr->rows[i];
		uint32_t *bucket;

		if (row->flags & NODE_DEAD)
			continue;
		bucket = bucket_of(dr, row->parent, name_of(dr, i), row->name_len);
		dr->chain[i] = *bucket;
		*bucket = i;
	}
	return 0;
}

int draft_init(struct draft *dr)
{
	int rc;

	memset(dr, 0, sizeof(*dr));
	dr->max = INDEX_ENTRIES_MAX;
	if (getrandom(&dr->seed, sizeof(dr->seed), GRND_NONBLOCK) < 0)
		dr->seed = (uintptr_t)dr;   /* early at boot: better than nothing */
	buf_init(&dr->strings, UINT32_MAX); /* rows have 32 bits for an offset */
	rc = draft_grow(dr);
	if (rc < 0) {
		draft_release(dr);
		return rc;
	}
	memset(&dr->rows[0], 0, sizeof(dr->rows[0]));
	dr->n = 1;
	return 0;
}

void draft_release(struct draft *dr)
{
	draft_seal(dr);
	free(dr->rows);
	buf_release(&dr->strings);
	dr->rows = NULL;
	dr->n = dr->cap = 0;
}

void draft_seal(struct draft *dr)
{
	free(dr->chain);
	free(dr->buckets);
	dr->chain = dr->buckets = NULL;
	dr->n_buckets = 0;
}

uint32_t draft_find(const struct draft *dr, uint32_t parent, const char *name, size_t len)
{
	uint32_t id = *bucket_of(dr, parent, name, len);

	while (id != NODE_NONE) {
		const struct index_row *row = &dr->rows[id];

		if (row->parent == parent && row->name_len == len &&
		    memcmp(name_of(dr, id), name, len) == 0)
			break;
		id = dr->chain[id];
	}
	return id;
}

int draft_add_text(struct draft *dr, const char *text, size_t len, uint32_t *off)
{
	uint32_t at = (uint32_t)dr->strings.len;
	int rc = dr->strings.len + len > DRAFT_TEXT_MIN + (size_t)dr->n * DRAFT_TEXT_EACH
			 ? -E2BIG
			 : buf_append(&dr->strings, text, len);

	if (rc == 0)
		*off = at;
	return rc;
}

int draft_add(struct draft *dr, uint32_t parent, const char *name, size_t len,
	      uint32_t *id)
{
	uint32_t *bucket, at = 0;
	int rc = 0;

	if (dr->n >= dr->max)
		return -E2BIG;
	if (dr->n == dr->cap)
		rc = draft_grow(dr);
	if (rc == 0)
		rc = draft_add_text(dr, name, len, &at);
	if (rc < 0)
		return rc;
	dr->rows[dr->n] = (struct index_row){
		.parent = parent,
		.inode = dr->n,
		.name = at,
		.name_len = (uint16_t)(len & 0x1ff),
	};
	bucket = bucket_of(dr, parent, name, len);
	dr->chain[dr->n] = *bucket;
	*bucket = dr->n;
	*id = dr->n++;
	return 0;
}

void draft_kill(struct draft *dr, uint32_t id)
{
	struct index_row *row = &dr->rows[id];
	uint32_t *link = bucket_of(dr, row->parent, name_of(dr, id), row->name_len);

	while (*link != id)
		link = &dr->chain[*link];
	*link = dr->chain[id];
	row->flags |= NODE_DEAD;
}
