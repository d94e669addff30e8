/* SPDX-License-Identifier: MIT */
/*
 * A table of sets; in a set the newest comes first and the last one goes. No list
 * runs through all of it, so a lookup is one short lock and a few comparisons.
 */
#include "fs/tree/dir_cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/merge.h"

#define N_SETS 256 /* a power of two */
#define N_WAYS 4

struct dircache {
	pthread_mutex_t lock;
	struct merged_dir *sets[N_SETS][N_WAYS]; /* under lock */
};

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

int dircache_new(struct dircache **out)
{
	struct dircache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	*out = c;
	return 0;
}

void dircache_free(struct dircache *c)
{
	size_t i, j;

	if (!c)
		return;
	for (i = 0; i < N_SETS; i++) {
		for (j = 0; j < N_WAYS; j++)
			merged_dir_unref(c->sets[i][j]);
	}
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static struct merged_dir **set_of(struct dircache *c, uint64_t node)
{
	return c->sets[(node * 0x9e3779b97f4a7c15u) >> 56 & (N_SETS - 1)];
}

/* Moves the first @i of the set one place back and puts @dir in front. */
static void put_first(struct merged_dir **set, size_t i, struct merged_dir *dir)
{
	memmove(set + 1, set, i * sizeof(*set));
	set[0] = dir;
}

struct merged_dir *dircache_get(struct dircache *c, uint64_t node)
{
	struct merged_dir **set = set_of(c, node), *dir = NULL;
	size_t i;

	pthread_mutex_lock(&c->lock);
	for (i = 0; i < N_WAYS && set[i]; i++) {
		if (set[i]->node == node) {
			dir = merged_dir_ref(set[i]);
			put_first(set, i, dir);
			break;
		}
	}
	pthread_mutex_unlock(&c->lock);
	return dir;
}

void dircache_put(struct dircache *c, struct merged_dir *dir)
{
	struct merged_dir **set = set_of(c, dir->node), *old = NULL;
	size_t i;

	pthread_mutex_lock(&c->lock);
	/* Two threads may have made the same one: the newer takes the place. */
	for (i = 0; i < N_WAYS - 1 && set[i] && set[i]->node != dir->node; i++)
		;
	old = set[i];
	put_first(set, i, merged_dir_ref(dir));
	pthread_mutex_unlock(&c->lock);
	merged_dir_unref(old);
}
