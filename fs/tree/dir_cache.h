/* SPDX-License-Identifier: MIT */
/*
 * The merged directories that were used last. Their number is fixed, however many
 * directories the kernel knows. All calls but new and free: any thread.
 */
#ifndef FS_TREE_DIR_CACHE_H
#define FS_TREE_DIR_CACHE_H

#include <stdint.h>

struct dir_cache;
struct merged_dir;

/* 0 or -ENOMEM. */
int dir_cache_new(struct dir_cache **out);
/* NULL is fine. */
void dir_cache_free(struct dir_cache *c);
/* A new reference, which the caller owns, or NULL. */
struct merged_dir *dir_cache_get(struct dir_cache *c, uint64_t node);
/* Takes a reference of its own. */
void dir_cache_put(struct dir_cache *c, struct merged_dir *dir);

#endif
