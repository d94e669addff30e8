/* SPDX-License-Identifier: MIT */
/*
 * An image that nobody uses costs its number and what it was found by, some hundred bytes.
 * One that is loaded has its documents and texts, a thousand merged directories, and its
 * layers open: some hundred KiB, and three descriptors a layer.
 */
#include "fs/image/images.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/err.h"
#include "fs/image/raw_blobs.h"
#include "fs/image/log.h"
#include "fs/image/context.h"
#include "fs/tree/node.h"
#include "fs/node/synthetic.h"

/* What nobody asked for in that time is given back. */
#define IDLE_SECONDS 120
/* And sooner, if there is more than this. */
#define LOADED_MAX 32
#define OPEN_MAX   600
/* That often we look, while there is anything. */
#define TIDY_SECONDS 10
/* A layer has an index, a data file and a map. */
#define FILES_EACH 4

void images_init(struct images *is)
{
	holds_init(&is->holds);
}

struct view *images_find(struct mount *m, uint32_t number)
{
	return table_get(&m->images.table, number);
}

/* TIDINESS */

static bool unload_unused(struct mount *m, uint32_t seconds, size_t max)
{
	struct hold *h;
	bool some = false;

	while ((h = holds_take_unused(&m->images.holds, seconds, max))) {
		view_unload((struct view *)h);
		hold_gone(&m->images.holds, h);
		some = true;
	}
	return some;
}

/* As many layers as the limit of open files bears. */
static size_t open_max(void)
{
	struct rlimit files;
	size_t max = OPEN_MAX;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / FILES_EACH < max)
		max = files.rlim_cur / FILES_EACH;
	return max;
}

static void tidy(struct mount *m, size_t layers_max)
{
	bool some = unload_unused(m, IDLE_SECONDS, LOADED_MAX);

	some |= layers_close_unused(m, IDLE_SECONDS, layers_max);
	some |= copies_close_unused(m, IDLE_SECONDS, layers_max);
	if (some)
		malloc_trim(0); /* or what was freed stays ours */
}

static void *keep_tidy(void *arg)
{
	struct mount *m = arg;
	struct holds *hs = &m->images.holds;
	size_t max = open_max(), had = 0;
	struct timespec until;

	pthread_mutex_lock(&hs->lock);
	while (!m->images.is_closing) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += TIDY_SECONDS;
		/* An image more, or some time: then is the time to look. */
		while (!m->images.is_closing && hs->n <= had &&
		       pthread_cond_timedwait(&hs->changed, &hs->lock, &until) == 0)
			;
		pthread_mutex_unlock(&hs->lock);
		tidy(m, max);
		pthread_mutex_lock(&hs->lock);
		had = hs->n;
	}
	pthread_mutex_unlock(&hs->lock);
	return NULL;
}

/*
 * Under the lock. What a thread makes will be given back some day. Without a keeper it
 * stays, and nothing else is the matter.
 */
static void have_keeper(struct mount *m)
{
	struct images *is = &m->images;

	if (!is->has_keeper && !is->is_closing)
		is->has_keeper = pthread_create(&is->keeper, NULL, keep_tidy, m) == 0;
}

/* THREADS */

int images_thread(struct mount *m, void *(*fn)(void *arg), void *arg)
{
	struct images *is = &m->images;
	pthread_t thread;
	int r = 0;

	pthread_mutex_lock(&is->holds.lock);
	if (is->is_closing)
		r = -ECANCELED;
	else
		is->n_makers++;
	have_keeper(m);
	pthread_mutex_unlock(&is->holds.lock);
	if (r < 0)
		return r;
	r = pthread_create(&thread, NULL, fn, arg);
	if (r == 0)
		pthread_detach(thread);
	else
		images_thread_ends(m);
	return -r;
}

void images_thread_ends(struct mount *m)
{
	struct images *is = &m->images;

	pthread_mutex_lock(&is->holds.lock);
	is->n_makers--;
	pthread_cond_broadcast(&is->holds.changed);
	pthread_mutex_unlock(&is->holds.lock);
}

/* PINS */

static void *run_load(void *arg)
{
	struct view *v = arg;
	struct mount *m = v->mount;
	struct err e = {"out of memory"};
	int r = view_load(v, &e);

	if (r < 0) {
		view_unload(v);
		if (r != -EINTR) {
			__atomic_add_fetch(&m->errors, 1, __ATOMIC_RELAXED);
			log_error(m->log, "%s", e.text);
		}
	}
	hold_made(&m->images.holds, &v->hold, r);
	if (r == 0)
		view_unpin(v);
	images_thread_ends(m);
	return NULL;
}

int view_pin(struct view *v, struct waiter *w)
{
	struct mount *m = v->mount;
	int r;

	while ((r = hold_need(&m->images.holds, &v->hold, w)) == 1) {
		r = images_thread(m, run_load, v);
		if (r < 0)
			hold_made(&m->images.holds, &v->hold, r);
	}
	return mount_errno(r);
}

void view_unpin(struct view *v)
{
	hold_unpin(&v->hold);
}

/* WHAT AN IMAGE ASKS ONCE */

struct question {
	struct view *view; /* pinned */
	struct holds *holds;
	struct hold *hold;
	int (*ask)(struct view *v);
};

static void *run_ask(void *arg)
{
	struct question q = *(struct question *)arg;
	struct mount *m = q.view->mount;
	int r = q.ask(q.view);

	free(arg);
	hold_made(q.holds, q.hold, r);
	if (r == 0)
		hold_unpin(q.hold);
	view_unpin(q.view);
	images_thread_ends(m);
	return NULL;
}

static int start_ask(const struct question *question)
{
	struct question *q = malloc(sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	*q = *question;
	/* The caller has pinned the view; the thread needs it longer. */
	hold_pin(&q->view->hold);
	r = images_thread(q->view->mount, run_ask, q);
	if (r < 0) {
		view_unpin(q->view);
		free(q);
	}
	return r;
}

int view_ask(struct view *v, struct holds *hs, struct hold *h, int (*ask)(struct view *v),
	     struct waiter *w)
{
	const struct question question = {v, hs, h, ask};
	int r;

	while ((r = hold_need(hs, h, w)) == 1) {
		r = start_ask(&question);
		if (r < 0)
			hold_made(hs, h, r);
	}
	if (r == 0)
		hold_unpin(h);
	return mount_errno(r);
}

/* IMAGES INSIDE AN IMAGE */

static int add_inner(struct view *v, const struct inner *inner, struct view **out)
{
	const struct descriptor *d = inner->descriptor;
	struct view what = {
		.origin = v->origin,
		.is_entry = true,
		.is_referrer = inner->is_referrer,
		.digest = d->digest,
		.created = v->image->has_created ? v->image->created : 0,
		.around = node_pack(&inner->around),
	};
	int r = descriptor_copy(d, &what.entry);

	if (r == 0 && asprintf(&what.path, "%s/%s", v->path, inner->path) < 0) {
		what.path = NULL;
		r = -ENOMEM;
	}
	if (r == 0 && v->source && !(what.source = strdup(v->source)))
		r = -ENOMEM;
	if (r == 0)
		r = images_add(v->mount, &what, out);
	if (r < 0) {
		descriptor_release(&what.entry);
		free(what.path);
		free(what.source);
	}
	return r;
}

int view_inner(struct view *v, const struct inner *inner, uint32_t *number,
	       struct view **out)
{
	uint32_t known = __atomic_load_n(number, __ATOMIC_ACQUIRE), none = 0;
	int r;

	if (!known) {
		r = add_inner(v, inner, out);
		if (r < 0)
			return r;
		/* Another thread may have been faster; then one number is lost. */
		if (__atomic_compare_exchange_n(number, &none, (*out)->number, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return 0;
		known = none;
	}
	*out = images_find(v->mount, known);
	return 0;
}

int view_platform(struct view *v, size_t i, struct view **out)
{
	const struct descriptor *d = &v->image->platforms[i];
	char path[NAME_MAX + 16];
	struct inner inner = {
		.descriptor = d,
		.around = {.image = v->number, .layer = ROW_PLATFORMS, .entry = 1},
		.path = path,
	};

	snprintf(path, sizeof(path), "platforms/%s", v->platform_names[i]);
	return view_inner(v, &inner, &v->platforms[i], out);
}

/* ALL */

int images_add(struct mount *m, const struct view *what, struct view **out)
{
	struct view *v = malloc(sizeof(*v));
	int r = -ENOMEM;

	if (!v)
		return -ENOMEM;
	*v = *what;
	hold_init(&v->hold);
	mentions_init(&v->mentions);
	others_init(&v->others);
	v->mount = m;
	pthread_mutex_lock(&m->images.holds.lock);
	if (table_count(&m->images.table) < NODE_IMAGES_MAX)
		r = table_add(&m->images.table, v, &v->number);
	pthread_mutex_unlock(&m->images.holds.lock);
	if (r < 0)
		free(v);
	else
		*out = v;
	return r;
}

void images_totals(struct mount *m, uint64_t *bytes, uint64_t *files, size_t *n)
{
	const struct hold *h;
	const struct view *v;

	*bytes = *files = 0;
	pthread_mutex_lock(&m->images.holds.lock);
	*n = m->images.holds.n;
	for (h = m->images.holds.first; h; h = h->next) {
		v = (const struct view *)h;
		if (__builtin_add_overflow(*bytes, v->content_size, bytes))
			*bytes = UINT64_MAX;
		*files += v->n_entries;
	}
	pthread_mutex_unlock(&m->images.holds.lock);
}

void images_close(struct mount *m)
{
	struct images *is = &m->images;

	mount_cancel(m);
	pthread_mutex_lock(&is->holds.lock);
	is->is_closing = true;
	pthread_cond_broadcast(&is->holds.changed);
	pthread_mutex_unlock(&is->holds.lock);
	if (is->has_keeper)
		pthread_join(is->keeper, NULL);
	pthread_mutex_lock(&is->holds.lock);
	while (is->n_makers > 0)
		pthread_cond_wait(&is->holds.changed, &is->holds.lock);
	pthread_mutex_unlock(&is->holds.lock);
	if (m->is_loaded)
		view_unpin(m->view);
	else if (m->view)
		view_unload(m->view);
	unload_unused(m, 0, 0);
	layers_close_unused(m, 0, 0);
	copies_close_unused(m, 0, 0);
}

void images_release(struct images *is)
{
	uint32_t i, n = table_count(&is->table);
	struct view *v;

	for (i = 0; i < n; i++) {
		v = table_get(&is->table, i);
		descriptor_release(&v->entry);
		mentions_release(&v->mentions);
		others_release(&v->others);
		free(v->path);
		free(v->source);
		free(v->platforms);
		free(v);
	}
	table_release(&is->table);
	holds_release(&is->holds);
}
