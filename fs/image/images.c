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
#include "fs/options/log.h"
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
	lazy_set_init(&is->set);
}

struct view *images_find(struct mount *m, uint32_t number)
{
	return table_get(&m->images.table, number);
}

/* TIDINESS */

static bool unload_unused(struct mount *m, uint32_t seconds, size_t max)
{
	struct lazy *h;
	bool some = false;

	while ((h = lazy_set_take_unused(&m->images.set, seconds, max))) {
		view_unload((struct view *)h);
		lazy_gone(&m->images.set, h);
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
	some |= raw_blobs_close_unused(m, IDLE_SECONDS, layers_max);
	if (some)
		malloc_trim(0); /* or what was freed stays ours */
}

static void *keep_tidy(void *arg)
{
	struct mount *m = arg;
	struct lazy_set *hs = &m->images.set;
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
	int rc = 0;

	pthread_mutex_lock(&is->set.lock);
	if (is->is_closing)
		rc = -ECANCELED;
	else
		is->n_makers++;
	have_keeper(m);
	pthread_mutex_unlock(&is->set.lock);
	if (rc < 0)
		return rc;
	rc = pthread_create(&thread, NULL, fn, arg);
	if (rc == 0)
		pthread_detach(thread);
	else
		images_thread_ends(m);
	return -rc;
}

void images_thread_ends(struct mount *m)
{
	struct images *is = &m->images;

	pthread_mutex_lock(&is->set.lock);
	is->n_makers--;
	pthread_cond_broadcast(&is->set.changed);
	pthread_mutex_unlock(&is->set.lock);
}

/* PINS */

static void *run_load(void *arg)
{
	struct view *v = arg;
	struct mount *m = v->mount;
	struct err e = {"out of memory"};
	int rc = view_load(v, &e);

	if (rc < 0) {
		view_unload(v);
		if (rc != -EINTR) {
			__atomic_add_fetch(&m->errors, 1, __ATOMIC_RELAXED);
			log_error(m->log, "%s", e.text);
		}
	}
	lazy_made(&m->images.set, &v->lazy, rc);
	if (rc == 0)
		view_unpin(v);
	images_thread_ends(m);
	return NULL;
}

int view_pin(struct view *v, struct waiter *w)
{
	struct mount *m = v->mount;
	int rc;

	while ((rc = lazy_need(&m->images.set, &v->lazy, w)) == 1) {
		rc = images_thread(m, run_load, v);
		if (rc < 0)
			lazy_made(&m->images.set, &v->lazy, rc);
	}
	return mount_errno(rc);
}

void view_unpin(struct view *v)
{
	lazy_unpin(&v->lazy);
}

/* WHAT AN IMAGE ASKS ONCE */

struct question {
	struct view *view; /* pinned */
	struct lazy_set *set;
	struct lazy *lazy;
	int (*ask)(struct view *v);
};

static void *run_ask(void *arg)
{
	struct question q = *(struct question *)arg;
	struct mount *m = q.view->mount;
	int rc = q.ask(q.view);

	free(arg);
	lazy_made(q.set, q.lazy, rc);
	if (rc == 0)
		lazy_unpin(q.lazy);
	view_unpin(q.view);
	images_thread_ends(m);
	return NULL;
}

static int start_ask(const struct question *question)
{
	struct question *q = malloc(sizeof(*q));
	int rc;

	if (!q)
		return -ENOMEM;
	*q = *question;
	/* The caller has pinned the view; the thread needs it longer. */
	lazy_pin(&q->view->lazy);
	rc = images_thread(q->view->mount, run_ask, q);
	if (rc < 0) {
		view_unpin(q->view);
		free(q);
	}
	return rc;
}

int view_ask(struct view *v, struct lazy_set *hs, struct lazy *h,
	     int (*ask)(struct view *v), struct waiter *w)
{
	const struct question question = {v, hs, h, ask};
	int rc;

	while ((rc = lazy_need(hs, h, w)) == 1) {
		rc = start_ask(&question);
		if (rc < 0)
			lazy_made(hs, h, rc);
	}
	if (rc == 0)
		lazy_unpin(h);
	return mount_errno(rc);
}

/* IMAGES INSIDE AN IMAGE */

static int add_inner(struct view *v, const struct inner *inner, struct view **out)
{
	const struct descriptor *d = inner->descriptor;
	struct view what = {
		.image_source = v->image_source,
		.is_entry = true,
		.is_referrer = inner->is_referrer,
		.digest = d->digest,
		.created = v->image->has_created ? v->image->created : 0,
		.around = node_pack(&inner->around),
	};
	int rc = descriptor_copy(d, &what.entry);

	if (rc == 0 && asprintf(&what.path, "%s/%s", v->path, inner->path) < 0) {
		what.path = NULL;
		rc = -ENOMEM;
	}
	if (rc == 0 && v->source && !(what.source = strdup(v->source)))
		rc = -ENOMEM;
	if (rc == 0)
		rc = images_add(v->mount, &what, out);
	if (rc < 0) {
		descriptor_release(&what.entry);
		free(what.path);
		free(what.source);
	}
	return rc;
}

int view_inner(struct view *v, const struct inner *inner, uint32_t *number,
	       struct view **out)
{
	uint32_t known = __atomic_load_n(number, __ATOMIC_ACQUIRE), none = 0;
	int rc;

	if (!known) {
		rc = add_inner(v, inner, out);
		if (rc < 0)
			return rc;
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
	int rc = -ENOMEM;

	if (!v)
		return -ENOMEM;
	*v = *what;
	lazy_init(&v->lazy);
	referrers_init(&v->referrers);
	index_blobs_init(&v->index_blobs);
	v->mount = m;
	pthread_mutex_lock(&m->images.set.lock);
	if (table_count(&m->images.table) < NODE_IMAGES_MAX)
		rc = table_add(&m->images.table, v, &v->number);
	pthread_mutex_unlock(&m->images.set.lock);
	if (rc < 0)
		free(v);
	else
		*out = v;
	return rc;
}

void images_totals(struct mount *m, uint64_t *bytes, uint64_t *files, size_t *n)
{
	const struct lazy *h;
	const struct view *v;

	*bytes = *files = 0;
	pthread_mutex_lock(&m->images.set.lock);
	*n = m->images.set.n;
	for (h = m->images.set.first; h; h = h->next) {
		v = (const struct view *)h;
		if (__builtin_add_overflow(*bytes, v->content_size, bytes))
			*bytes = UINT64_MAX;
		*files += v->n_entries;
	}
	pthread_mutex_unlock(&m->images.set.lock);
}

void images_close(struct mount *m)
{
	struct images *is = &m->images;

	mount_cancel(m);
	pthread_mutex_lock(&is->set.lock);
	is->is_closing = true;
	pthread_cond_broadcast(&is->set.changed);
	pthread_mutex_unlock(&is->set.lock);
	if (is->has_keeper)
		pthread_join(is->keeper, NULL);
	pthread_mutex_lock(&is->set.lock);
	while (is->n_makers > 0)
		pthread_cond_wait(&is->set.changed, &is->set.lock);
	pthread_mutex_unlock(&is->set.lock);
	if (m->is_loaded)
		view_unpin(m->view);
	else if (m->view)
		view_unload(m->view);
	unload_unused(m, 0, 0);
	layers_close_unused(m, 0, 0);
	raw_blobs_close_unused(m, 0, 0);
}

void images_release(struct images *is)
{
	uint32_t i, n = table_count(&is->table);
	struct view *v;

	for (i = 0; i < n; i++) {
		v = table_get(&is->table, i);
		descriptor_release(&v->entry);
		referrers_release(&v->referrers);
		index_blobs_release(&v->index_blobs);
		free(v->path);
		free(v->source);
		free(v->platforms);
		free(v);
	}
	table_release(&is->table);
	lazy_set_release(&is->set);
}
