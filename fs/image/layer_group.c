/* SPDX-License-Identifier: MIT */
/*
 * The largest layer decides how long it takes, so it begins first. Each layer has a thread
 * of its own, up to a number that few images exceed. Layers of images other than the
 * mounted one may be wanted by several, so the failure of one does not stop the others.
 */
#include "fs/image/layer_group.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/err.h"
#include "fs/image/layers.h"

/* Each decodes with some MiB of memory and a connection. For all images together. */
#define THREADS_MAX 16

struct part {
	struct mount_layer *layer;
	int result; /* 0: it is pinned */
	struct err err;
};

/* Shared by the threads. */
struct group {
	struct layers *layers;
	struct part *parts; /* the largest layer first */
	size_t n;
	size_t next; /* atomic: in parts */
	bool fail_fast;
};

static void open_parts(struct group *g)
{
	size_t i;

	while ((i = __atomic_fetch_add(&g->next, 1, __ATOMIC_RELAXED)) < g->n) {
		struct part *p = &g->parts[i];

		p->result = mount_layer_open(p->layer, &p->err);
		if (p->result < 0 && g->fail_fast)
			context_cancel(g->layers->context);
	}
}

static void *group_help(void *arg)
{
	struct group *g = arg;

	open_parts(g);
	__atomic_sub_fetch(&g->layers->n_threads, 1, __ATOMIC_RELAXED);
	return NULL;
}

static bool start_helper(struct group *g, pthread_t *thread)
{
	unsigned *n = &g->layers->n_threads;

	if (__atomic_add_fetch(n, 1, __ATOMIC_RELAXED) < THREADS_MAX &&
	    pthread_create(thread, NULL, group_help, g) == 0)
		return true;
	__atomic_sub_fetch(n, 1, __ATOMIC_RELAXED);
	return false;
}

/* This thread is one of those that work. */
static void open_all(struct group *g)
{
	pthread_t threads[THREADS_MAX];
	size_t n = 0;

	while (n < THREADS_MAX && n + 1 < g->n && start_helper(g, &threads[n]))
		n++;
	open_parts(g);
	while (n-- > 0)
		pthread_join(threads[n], NULL);
}

static int compare_sizes(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	uint64_t xs = x->layer->descriptor.size, ys = y->layer->descriptor.size;

	return xs > ys ? -1 : xs < ys;
}

/* The failure that is reported for all. */
static int judge(const struct group *g, struct err *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < g->n; i++) {
		const struct part *p = &g->parts[i];

		/* -EINTR is mostly the consequence of another one's failure. */
		if (p->result == 0 || (p->result == -EINTR && rc < 0))
			continue;
		rc = err_set(e, p->result, "%s", p->err.text);
		if (rc != -EINTR)
			break;
	}
	return rc;
}

int layer_group_pin(struct mount_layer *const *list, size_t n, bool fail_fast,
		    struct err *e)
{
	struct group g = {.n = n, .fail_fast = fail_fast};
	size_t i;
	int rc;

	if (n == 0)
		return 0;
	g.layers = list[0]->layers;
	g.parts = calloc(n, sizeof(*g.parts));
	if (!g.parts)
		return err_set(e, -ENOMEM, "out of memory");
	for (i = 0; i < n; i++)
		g.parts[i].layer = list[i];
	qsort(g.parts, n, sizeof(*g.parts), compare_sizes);
	open_all(&g);
	rc = judge(&g, e);
	for (i = 0; rc < 0 && i < n; i++) {
		if (g.parts[i].result == 0)
			mount_layer_unpin(g.parts[i].layer);
	}
	free(g.parts);
	return rc;
}

void layer_group_unpin(struct mount_layer *const *list, size_t n)
{
	while (n-- > 0)
		mount_layer_unpin(list[n]);
}
