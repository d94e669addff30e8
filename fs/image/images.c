/* SPDX-License-Identifier: MIT */
#include "fs/image/images.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/err.h"
#include "fs/image/context.h"
#include "fs/image/layer_files.h"
#include "fs/image/layers.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "fs/image/raw_blobs.h"
#include "fs/text/bar.h"
#include "fs/image/workers.h"
#include "registry/image_source.h"
#include "tar/layer.h"

/* What is idle for so long is freed. */
#define IDLE_SECONDS 120
/* And sooner, if there is more than this. */
#define LOADED_MAX 32
#define OPEN_MAX   600
/*
 * An open layer has three: its index, its data and its rows. A fourth of all is left for blobs,
 * connections and the store.
 */
#define FILES_EACH 4

/* TIDYING */

static void unload(struct view *v)
{
	lazy_forget(&v->images->steps, &v->files_step);
	lazy_forget(&v->images->steps, &v->erofs_step);
	lazy_forget(&v->images->steps, &v->tree_step);
	lazy_forget(&v->images->steps, &v->layers_step);
	view_unload(v);
}

static bool unload_unused(struct images *is, uint32_t seconds, size_t max)
{
	struct lazy *l;
	bool some = false;

	while ((l = lazy_set_take_unused(&is->set, seconds, max))) {
		unload((struct view *)l);
		lazy_gone(&is->set, l);
		some = true;
	}
	return some;
}

static bool close_unused(struct images *is)
{
	bool some = layers_close_unused(is->layers, IDLE_SECONDS, is->layers_max);

	some |= raw_blobs_close_unused(is->layers, IDLE_SECONDS, is->layers_max);
	some |= layer_files_close_unused(is->layers, IDLE_SECONDS, is->layers_max);
	return some;
}

/* Do layers, with their EROFS images, have more files open than they may? */
static bool has_too_many_files(struct images *is)
{
	return 3 * lazy_set_count(&is->layers->set) +
		       2 * lazy_set_count(&is->layers->files) >
	       3 * is->layers_max;
}

/* A loaded image holds its layers, so it goes before they can. */
static void images_tidy(void *arg)
{
	struct images *is = arg;
	bool some = unload_unused(is, IDLE_SECONDS, LOADED_MAX);
	struct lazy *l;

	some |= close_unused(is);
	while (has_too_many_files(is) && (l = lazy_set_take_unused(&is->set, 0, 0))) {
		unload((struct view *)l);
		lazy_gone(&is->set, l);
		(void)close_unused(is);
		/* Layer files hold no layer open; they count, too. */
		if (has_too_many_files(is))
			layer_files_close_unused(is->layers, 0, 0);
		some = true;
	}
	if (some)
		malloc_trim(0); /* gives freed memory back to the system */
}

/* As many layers as the limit of open files allows; main() has raised it. */
static size_t open_max(void)
{
	struct rlimit files;
	size_t max = OPEN_MAX;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / FILES_EACH < max)
		max = files.rlim_cur / FILES_EACH;
	return max;
}

/* LIFE */

void images_init(struct images *is, struct context *c, struct layers *ls,
		 struct workers *ws)
{
	memset(is, 0, sizeof(*is));
	is->context = c;
	is->layers = ls;
	is->workers = ws;
	is->layers_max = open_max();
	lazy_set_init(&is->set);
	lazy_set_init(&is->lists);
	lazy_set_init(&is->steps);
	workers_set_tidy(ws, images_tidy, is);
}

int images_open_first(struct images *is, const char *source, struct err *e)
{
	struct view what = {.path = NULL};
	int rc = 0;

	if (source)
		rc = image_source_open(source, is->context->client, &is->image_source, e);
	if (rc < 0)
		return rc;
	what.image_source = is->image_source;
	what.path = strdup("");
	rc = what.path ? images_add(is, &what, &is->first) : -ENOMEM;
	if (rc < 0)
		free(what.path);
	return rc < 0 ? err_set(e, rc, "out of memory") : 0;
}

/* THE STEPS OF AN IMAGE. It is pinned, or known to this thread alone. */

static int ensure_layers(struct view *v, struct err *e)
{
	struct lazy_set *set = &v->images->steps;
	int rc = lazy_need(set, &v->layers_step, NULL);

	if (rc == 1) {
		rc = view_find_layers(v, e);
		lazy_made(set, &v->layers_step, rc);
	} else if (rc < 0)
		err_set(e, rc, "out of memory");
	if (rc == 0)
		lazy_unpin(&v->layers_step);
	return rc;
}

static int load_tree(struct view *v, bool fail_fast, struct err *e)
{
	int rc = ensure_layers(v, e);

	return rc < 0 ? rc : view_load_tree(v, fail_fast, e);
}

/* Waits if another thread is loading it. */
static int ensure_tree(struct view *v, bool fail_fast, struct err *e)
{
	struct lazy_set *set = &v->images->steps;
	int rc;

	if (view_has_tree(v))
		return 0;
	rc = lazy_need(set, &v->tree_step, NULL);
	if (rc == 0) {
		lazy_unpin(&v->tree_step);
	} else if (rc == 1) {
		rc = load_tree(v, fail_fast, e);
		if (rc < 0 && e)
			lazy_note(set, &v->tree_step, e);
		lazy_made_unpinned(set, &v->tree_step, rc);
	} else {
		lazy_recall(set, &v->tree_step, rc, e);
	}
	return rc;
}

/* The store has all indexes, so no network is needed. If that fails, it is tried again later. */
static void load_stored_tree(struct view *v)
{
	struct err e = {""};
	int rc = v->is_stored ? ensure_tree(v, false, &e) : 0;

	if (rc < 0)
		(void)context_failed(v->context, NULL, v->path, rc, e.text);
}

int images_load_first(struct images *is, struct err *e)
{
	struct view *v = is->first;
	int rc;

	lazy_need(&is->set, &v->lazy, NULL);
	rc = view_load(v, e);
	if (rc == 0)
		load_stored_tree(v);
	/* After a failure it stays loaded until the end: its progress may be looked at. */
	lazy_made(&is->set, &v->lazy, rc);
	is->is_first_loaded = rc == 0;
	return rc;
}

int images_load_first_tree(struct images *is, struct err *e)
{
	return ensure_tree(is->first, true, e);
}

void images_close(struct images *is)
{
	context_end(is->context);
	workers_close(is->workers);
	if (is->is_first_loaded)
		view_unpin(is->first);
	else if (is->first)
		unload(is->first);
	unload_unused(is, 0, 0);
	layer_files_close_unused(is->layers, 0, 0);
	layers_close_unused(is->layers, 0, 0);
	raw_blobs_close_unused(is->layers, 0, 0);
}

void images_release(struct images *is)
{
	uint32_t i, n = table_count(&is->table);

	for (i = 0; i < n; i++)
		view_free(table_get(&is->table, i));
	table_release(&is->table);
	lazy_set_release(&is->set);
	lazy_set_release(&is->lists);
	lazy_set_release(&is->steps);
	image_source_close(is->image_source);
}

/* SUMS */

void view_progress(const struct view *v, struct bar_state *out)
{
	const struct layer_list *list;
	struct layer_progress p;
	size_t i;

	memset(out, 0, sizeof(*out));
	list = layer_list_count(&v->layers) ? &v->layers : &v->blobs;
	out->n_layers = layer_list_count(list);
	out->is_resolved = out->n_layers > 0;
	for (i = 0; i < out->n_layers; i++) {
		const struct mount_layer *l = list->own[i];

		mount_layer_progress(l, &p);
		out->size += l->descriptor.size;
		if (p.state >= LAYER_READY) {
			out->bytes += l->descriptor.size;
			out->layers++;
		} else {
			out->bytes += p.blob_done;
		}
	}
}

void images_totals(struct images *is, uint64_t *bytes, uint64_t *files, size_t *n)
{
	const struct lazy *l;
	const struct view *v;

	*bytes = *files = 0;
	pthread_mutex_lock(&is->set.lock);
	*n = is->set.n;
	for (l = is->set.first; l; l = l->next) {
		v = (const struct view *)l;
		if (!view_has_tree(v))
			continue;
		if (__builtin_add_overflow(*bytes, v->totals.content_size, bytes))
			*bytes = UINT64_MAX;
		*files += v->totals.n_entries;
	}
	pthread_mutex_unlock(&is->set.lock);
}

/* THE TABLE */

int images_add(struct images *is, const struct view *what, struct view **out)
{
	struct view *v = malloc(sizeof(*v));
	int rc = -ENOSPC;

	if (!v)
		return -ENOMEM;
	*v = *what;
	lazy_init(&v->lazy);
	lazy_init(&v->layers_step);
	lazy_init(&v->tree_step);
	lazy_init(&v->erofs_step);
	lazy_init(&v->files_step);
	referrers_init(&v->referrers);
	index_blobs_init(&v->index_blobs);
	v->images = is;
	v->context = is->context;
	v->mount_layers = is->layers;
	pthread_mutex_lock(&is->set.lock);
	if (table_count(&is->table) < NODE_IMAGES_MAX)
		rc = table_add(&is->table, v, &v->number);
	pthread_mutex_unlock(&is->set.lock);
	if (rc < 0)
		free(v); /* what it took is still the caller's */
	else
		*out = v;
	return rc;
}

struct view *images_find(struct images *is, uint32_t number)
{
	return table_get(&is->table, number);
}

/* PINS */

static void load_view(void *arg)
{
	struct view *v = arg;
	struct images *is = v->images;
	struct err e = {"out of memory"};
	int rc = view_load(v, &e);

	if (rc == 0)
		load_stored_tree(v);
	if (rc < 0) {
		unload(v);
		if (rc != -EINTR) {
			__atomic_add_fetch(&is->context->failures.n, 1, __ATOMIC_RELAXED);
			context_note(is->context, v->path, e.text);
			log_error(is->context->log, "%s", e.text);
		}
	}
	lazy_made_unpinned(&is->set, &v->lazy, rc);
	if (rc == 0)
		workers_tidy_soon(is->workers);
}

int view_pin(struct view *v, struct waiter *w)
{
	struct images *is = v->images;

	return context_errno(
		lazy_await(&is->set, &v->lazy, is->workers, load_view, v, w));
}

void view_unpin(struct view *v)
{
	lazy_unpin(&v->lazy);
}

/* WHAT IS MADE ONCE FOR A LOADED IMAGE */

/* Ends the making of @l; the view was pinned for the thread. */
static void end_part(struct view *v, struct lazy_set *set, struct lazy *l, int rc,
		     const struct err *e)
{
	if (rc < 0)
		rc = context_failed(v->context, NULL, v->path, rc, e->text);
	lazy_made_unpinned(set, l, rc);
	view_unpin(v);
}

static void make_referrers(void *arg)
{
	struct view *v = arg;
	struct err e = {"out of memory"};
	int rc = view_fetch_referrers(v, &e);

	end_part(v, &v->images->lists, &v->referrers.lazy, rc, &e);
}

static void make_index_blobs(void *arg)
{
	struct view *v = arg;
	struct err e = {"out of memory"};
	int rc = view_fetch_index_blobs(v, &e);

	end_part(v, &v->images->lists, &v->index_blobs.lazy, rc, &e);
}

static void make_layers(void *arg)
{
	struct view *v = arg;
	struct err e = {"out of memory"};
	int rc = view_find_layers(v, &e);

	end_part(v, &v->images->steps, &v->layers_step, rc, &e);
}

static void make_tree(void *arg)
{
	struct view *v = arg;
	struct err e = {"out of memory"};
	int rc = load_tree(v, false, &e);

	end_part(v, &v->images->steps, &v->tree_step, rc, &e);
}

static void make_erofs(void *arg)
{
	struct view *v = arg;
	struct err e = {"out of memory"};
	int rc = view_make_erofs(v, &e);

	end_part(v, &v->images->steps, &v->erofs_step, rc, &e);
}

static void make_files(void *arg)
{
	struct view *v = arg;
	struct err e = {"out of memory"};
	int rc = view_make_files(v, &e);

	end_part(v, &v->images->steps, &v->files_step, rc, &e);
}

/* The caller has pinned the view; the thread that makes the part pins it, too. */
static int need_part(struct view *v, struct lazy_set *set, struct lazy *l,
		     void (*make)(void *arg), struct waiter *w)
{
	int rc;

	while ((rc = lazy_need(set, l, w)) == 1) {
		lazy_pin(&v->lazy);
		rc = workers_start(v->images->workers, make, v);
		if (rc < 0) {
			view_unpin(v);
			lazy_made(set, l, rc);
		}
	}
	if (rc == 0)
		lazy_unpin(l);
	return context_errno(rc);
}

int view_need_referrers(struct view *v, struct waiter *w)
{
	return need_part(v, &v->images->lists, &v->referrers.lazy, make_referrers, w);
}

int view_need_index_blobs(struct view *v, struct waiter *w)
{
	return need_part(v, &v->images->lists, &v->index_blobs.lazy, make_index_blobs, w);
}

int view_need_layers(struct view *v, struct waiter *w)
{
	return need_part(v, &v->images->steps, &v->layers_step, make_layers, w);
}

int view_need_tree(struct view *v, struct waiter *w)
{
	if (view_has_tree(v))
		return 0;
	return need_part(v, &v->images->steps, &v->tree_step, make_tree, w);
}

int view_need_erofs(struct view *v, struct waiter *w)
{
	int rc = view_erofs(v) ? 0 : view_need_tree(v, w);

	if (rc < 0 || view_erofs(v))
		return rc;
	if (!view_merge(v))
		return -EIO; /* the log has the layer */
	return need_part(v, &v->images->steps, &v->erofs_step, make_erofs, w);
}

int view_need_files(struct view *v, struct waiter *w)
{
	int rc = view_files(v) ? 0 : view_need_tree(v, w);

	if (rc < 0 || view_files(v))
		return rc;
	return need_part(v, &v->images->steps, &v->files_step, make_files, w);
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
		rc = images_add(v->images, &what, out);
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
		/* If another thread was faster, this number is lost. */
		if (__atomic_compare_exchange_n(number, &none, (*out)->number, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return 0;
		known = none;
	}
	*out = images_find(v->images, known);
	return 0;
}
