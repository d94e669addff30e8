/* SPDX-License-Identifier: MIT */
#include "fs/tree/merged_dir.h"

#include <stdlib.h>
#include <string.h>

struct merged_dir *merged_dir_new(size_t n)
{
	struct merged_dir *dir = malloc(sizeof(*dir) + n * sizeof(dir->contributors[0]));

	if (dir) {
		dir->refs = 1;
		dir->n = n;
	}
	return dir;
}

struct merged_dir *merged_dir_ref(struct merged_dir *dir)
{
	__atomic_add_fetch(&dir->refs, 1, __ATOMIC_RELAXED);
	return dir;
}

void merged_dir_unref(struct merged_dir *dir)
{
	if (dir && __atomic_sub_fetch(&dir->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(dir);
}

/*
 * The cache is a table of small sets. In a set the directory used last comes first, and a new
 * one pushes out the last. No list runs through the whole table, so a lookup is one short lock
 * and a few comparisons.
 */

void dir_cache_init(struct dir_cache *c)
{
	memset(c, 0, sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
}

void dir_cache_release(struct dir_cache *c)
{
	size_t i;

	for (i = 0; i < DIR_CACHE_SETS * DIR_CACHE_WAYS; i++)
		merged_dir_unref(c->sets[i / DIR_CACHE_WAYS][i % DIR_CACHE_WAYS]);
	pthread_mutex_destroy(&c->lock);
}

static struct merged_dir **find_set(struct dir_cache *c, uint64_t node)
{
	return c->sets[(node * 0x9e3779b97f4a7c15u) >> 56 & (DIR_CACHE_SETS - 1)];
}

/* Moves the first @i of the set one place back and puts @dir in front. */
static void move_first(struct merged_dir **set, size_t i, struct merged_dir *dir)
{
	memmove(set + 1, set, i * sizeof(*set));
	set[0] = dir;
}

struct merged_dir *dir_cache_get(struct dir_cache *c, uint64_t node)
{
	struct merged_dir **set = find_set(c, node), *dir = NULL;
	size_t i;

	pthread_mutex_lock(&c->lock);
	for (i = 0; i < DIR_CACHE_WAYS && set[i]; i++) {
		if (set[i]->node == node) {
			dir = merged_dir_ref(set[i]);
			move_first(set, i, dir);
			break;
		}
	}
	pthread_mutex_unlock(&c->lock);
	return dir;
}

void dir_cache_put(struct dir_cache *c, struct merged_dir *dir)
{
	struct merged_dir **set = find_set(c, dir->node), *old = NULL;
	size_t i;

	pthread_mutex_lock(&c->lock);
	/* Two threads may have made the same one: the newer takes the place. */
	for (i = 0; i < DIR_CACHE_WAYS - 1 && set[i] && set[i]->node != dir->node; i++)
		;
	old = set[i];
	move_first(set, i, merged_dir_ref(dir));
	pthread_mutex_unlock(&c->lock);
	merged_dir_unref(old);
}
