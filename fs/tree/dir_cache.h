/* SPDX-License-Identifier: MIT */
/*
 * The merged directories that were asked for last: a fixed number of them, whatever
 * the kernel knows. Any thread.
 */
#ifndef FS_TREE_DIR_CACHE_H
#define FS_TREE_DIR_CACHE_H

#include <stdint.h>

struct merged_dir;
struct dircache;

int dircache_new(struct dircache **out);
/* NULL is fine. */
void dircache_free(struct dircache *c);
/* A reference, the caller's, or NULL. */
struct merged_dir *dircache_get(struct dircache *c, uint64_t node);
/* Takes a reference of its own. */
void dircache_put(struct dircache *c, struct merged_dir *dir);

struct merged_dir *merged_dir_ref(struct merged_dir *dir);

#endif
