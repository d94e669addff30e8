/* SPDX-License-Identifier: MIT */
/*
 * A directory of the merged tree: the layers that contribute to it. It never changes and is
 * counted. All calls: any thread.
 */
#ifndef FS_TREE_MERGED_DIR_H
#define FS_TREE_MERGED_DIR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/tree/layer.h"

struct merged_dir {
	unsigned refs; /* atomic */
	uint64_t node;
	uint64_t ino;
	uint64_t path; /* identity_path() */
	bool is_described;
	struct place described_by; /* the entry that gives owner, mode and times */
	size_t n;
	/* The topmost first; none only for the root of an image without layers. */
	struct place contributors[];
};

/* Room for @n contributors; one reference, the caller's. NULL: no memory. */
struct merged_dir *merged_dir_new(size_t n);
struct merged_dir *merged_dir_ref(struct merged_dir *dir);
/* NULL is fine. */
void merged_dir_unref(struct merged_dir *dir);

#define DIR_CACHE_SETS 256 /* a power of two */
#define DIR_CACHE_WAYS 4

/*
 * The directories that were used last. Their number is fixed, however many directories the
 * kernel knows.
 */
struct dir_cache {
	pthread_mutex_t lock;
	struct merged_dir *sets[DIR_CACHE_SETS][DIR_CACHE_WAYS]; /* under lock */
};

void dir_cache_init(struct dir_cache *c);
/* No call may be under way. */
void dir_cache_release(struct dir_cache *c);
/* A new reference, which the caller owns, or NULL. */
struct merged_dir *dir_cache_get(struct dir_cache *c, uint64_t node);
/* Takes a reference of its own. */
void dir_cache_put(struct dir_cache *c, struct merged_dir *dir);

#endif
