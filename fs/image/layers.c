/* SPDX-License-Identifier: MIT */
#include "fs/image/layers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/source.h"
#include "fs/image/workers.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "fs/tree/node.h"
#include "registry/image_source.h"
#include "tar/layer.h"
#include "tar/toc/toc_ref.h"

/*
 * The annotations about an embedded table of contents. What a registry keeps is
 * descriptor.beside.
 */
static const char *const toc_keys[] = {
	ESTARGZ_KEY,
	"io.github.containers.zstd-chunked.manifest-checksum",
	"io.github.containers.zstd-chunked.manifest-position",
	"io.containers.zstd-chunked.manifest-checksum",
	"io.containers.zstd-chunked.manifest-position",
};

enum { N_TOC_KEYS = sizeof(toc_keys) / sizeof(toc_keys[0]) };

void layers_init(struct layers *ls, struct context *context, struct workers *workers)
{
	memset(ls, 0, sizeof(*ls));
	ls->context = context;
	ls->workers = workers;
	lazy_set_init(&ls->set);
	lazy_set_init(&ls->raw_blobs);
	lazy_set_init(&ls->files);
	pthread_mutex_init(&ls->extra_lock, NULL);
}

/* NUMBERS */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same(const struct descriptor *a, const struct descriptor *b)
{
	size_t i;

	if (!digest_equal(&a->digest, &b->digest) || a->size != b->size ||
	    memcmp(&a->beside, &b->beside, sizeof(a->beside)) != 0 ||
	    a->is_pushed != b->is_pushed)
		return false;
	for (i = 0; i < N_TOC_KEYS; i++) {
		if (!same_text(descriptor_annotation(a, toc_keys[i]),
			       descriptor_annotation(b, toc_keys[i])))
			return false;
	}
	return true;
}

static int new_layer(const struct descriptor *d, uint64_t image, struct mount_layer **out)
{
	struct mount_layer *l = calloc(1, sizeof(*l));
	int rc = -ENOMEM;

	if (l) {
		lazy_init(&l->lazy);
		lazy_init(&l->raw_blob);
		lazy_init(&l->file);
		l->image = image;
		l->seed = node_seed(&d->digest);
		if (image)
			l->seed = node_ino_add(image, l->seed, 0);
		rc = descriptor_copy(d, &l->descriptor);
	}
	if (rc < 0)
		free(l);
	else
		*out = l;
	return rc;
}

static int add_layer(struct layers *ls, const struct descriptor *d, bool is_file,
		     uint64_t image, uint32_t *bucket, struct mount_layer **out)
{
	struct mount_layer *l;
	int rc = new_layer(d, image, &l);

	if (rc < 0)
		return rc;
	l->layers = ls;
	rc = table_add(&ls->table, l, &l->number);
	if (rc < 0) {
		descriptor_release(&l->descriptor);
		free(l);
		return rc;
	}
	l->is_file = is_file;
	l->next = *bucket;
	*bucket = l->number + 1;
	*out = l;
	return 0;
}

int layers_find(struct layers *ls, const struct descriptor *d, bool is_file,
		uint64_t image, struct image_source *image_source,
		struct mount_layer **out)
{
	uint32_t *bucket = &ls->buckets[node_seed(&d->digest) % LAYER_BUCKETS], i;
	struct mount_layer *l = NULL;
	int rc = 0;

	pthread_mutex_lock(&ls->set.lock);
	for (i = *bucket; i; i = l->next) {
		l = table_get(&ls->table, i - 1);
		if (l->is_file == is_file && l->image == image &&
		    is_same(&l->descriptor, d))
			break;
	}
	if (!i)
		rc = add_layer(ls, d, is_file, image, bucket, &l);
	/* The latest source that has the layer is the likeliest to work. */
	if (rc == 0)
		l->image_source = image_source;
	pthread_mutex_unlock(&ls->set.lock);
	*out = l;
	return rc;
}

struct mount_layer *layers_get(struct layers *ls, uint32_t number)
{
	return table_get(&ls->table, number);
}

/* OPENING */

bool mount_layer_is_bad(int code)
{
	return code == -EBADMSG || code == -E2BIG || code == -ENOTSUP;
}

const char *mount_layer_why(const struct mount_layer *l)
{
	return l->loaded < 0 && l->why ? l->why->text : "";
}

static void hint(struct image_source *o, struct layer *l, const struct descriptor *d)
{
	struct toc_hints h = {
		.estargz_digest = descriptor_annotation(d, toc_keys[0]),
		.chunked_digest = descriptor_annotation(d, toc_keys[1]),
		.chunked_position = descriptor_annotation(d, toc_keys[2]),
	};

	if (!h.chunked_digest || !h.chunked_position) {
		h.chunked_digest = descriptor_annotation(d, toc_keys[3]);
		h.chunked_position = descriptor_annotation(d, toc_keys[4]);
	}
	if (d->beside.alg != DIGEST_NONE) {
		const struct descriptor beside = {.digest = d->beside,
						  .size = d->beside_size};

		h.is_pushed = d->is_pushed;
		if (image_source_blob(o, &beside, &h.beside, NULL) == 0)
			h.beside_digest = &d->beside;
	}
	layer_set_hints(l, &h);
	source_unref(h.beside);
}

struct image_source *mount_layer_source(const struct mount_layer *l)
{
	struct lazy_set *set = &l->layers->set;
	struct image_source *o;

	pthread_mutex_lock(&set->lock);
	o = l->image_source;
	pthread_mutex_unlock(&set->lock);
	return o;
}

static int load_layer(struct mount_layer *l, struct err *e)
{
	struct image_source *o = mount_layer_source(l);
	struct layers *ls = l->layers;
	char digest[DIGEST_TEXT_MAX];
	struct source *blob;
	struct layer *layer;
	int rc = image_source_blob(o, &l->descriptor, &blob, e);

	if (rc < 0)
		return err_prefix(e, rc, "layer %s",
				  digest_format(&l->descriptor.digest, digest));
	rc = layer_new(ls->context->store, &l->descriptor.digest, blob, &layer);
	if (rc < 0)
		return err_set(e, rc, "out of memory");
	if (ls->context->options->layout == LAYOUT_EROFS)
		layer_want_diff_id(layer); /* and no table of contents */
	else
		hint(o, layer, &l->descriptor);
	pthread_mutex_lock(&ls->set.lock);
	l->layer = layer; /* for mount_layer_progress() */
	pthread_mutex_unlock(&ls->set.lock);
	return layer_load(layer, &ls->context->is_cancelled, e);
}

/* What the lazy object stands for. */
static int make_layer(struct mount_layer *l, struct err *e)
{
	struct lazy_set *set = &l->layers->set;
	struct err *why = NULL;
	struct layer *gone = NULL;
	int rc;

	err_set(e, 0, "out of memory");
	rc = l->is_file ? 0 : load_layer(l, e);
	if (mount_layer_is_bad(rc)) {
		why = malloc(sizeof(*why));
		if (why)
			*why = *e;
	}
	pthread_mutex_lock(&set->lock);
	l->loaded = rc;
	l->why = why;
	if (rc < 0 && !mount_layer_is_bad(rc)) {
		gone = l->layer;
		l->layer = NULL;
	}
	pthread_mutex_unlock(&set->lock);
	layer_free(gone);
	if (mount_layer_is_bad(rc))
		return 0;
	if (rc < 0)
		lazy_note(set, &l->lazy, e);
	return rc;
}

int mount_layer_open(struct mount_layer *l, struct err *e)
{
	int rc = lazy_need(&l->layers->set, &l->lazy, NULL);

	if (rc < 0)
		return lazy_recall(&l->layers->set, &l->lazy, rc, e);
	if (rc == 1) {
		rc = make_layer(l, e);
		lazy_made(&l->layers->set, &l->lazy, rc);
	}
	return rc;
}

void mount_layer_log_broken(const struct mount_layer *l, const char *then)
{
	struct context *c = l->layers->context;

	context_note(c, "", mount_layer_why(l));
	log_error(c->log, "%s%s", mount_layer_why(l), then);
}

static void make_unpinned(void *arg)
{
	struct mount_layer *l = arg;
	struct err e;
	int rc = make_layer(l, &e);

	if (rc < 0)
		mount_layer_failed(l, "", rc, e.text);
	else if (l->loaded < 0)
		mount_layer_log_broken(l, "");
	lazy_made_unpinned(&l->layers->set, &l->lazy, rc);
}

int mount_layer_pin(struct mount_layer *l, struct waiter *w)
{
	return context_errno(lazy_await(&l->layers->set, &l->lazy, l->layers->workers,
					make_unpinned, l, w));
}

void mount_layer_unpin(struct mount_layer *l)
{
	lazy_unpin(&l->lazy);
}

int mount_layer_failed(struct mount_layer *l, const char *path, int code, const char *why)
{
	return context_failed(l->layers->context, &l->failures, path, code, why);
}

/*
 * OPENING SEVERAL
 *
 * The largest layer decides how long it takes, so it begins first. Each layer has a thread
 * of its own, up to a number that few images exceed. Layers of images other than the
 * mounted one may be wanted by several, so the failure of one does not stop the others.
 */

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

int layers_pin(struct mount_layer *const *list, size_t n, bool fail_fast, struct err *e)
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

void layers_unpin(struct mount_layer *const *list, size_t n)
{
	while (n-- > 0)
		mount_layer_unpin(list[n]);
}

/* CLOSING */

static void add_sums(struct layer_sums *to, const struct layer *l)
{
	struct layer_progress p;

	layer_progress(l, &p);
	to->fetched += p.fetched;
	to->decoded += p.decoded;
	to->hits += p.was_stored;
}

static void close_layer(struct layers *ls, struct mount_layer *l)
{
	struct layer *layer = l->layer;
	struct err *why = l->why;

	pthread_mutex_lock(&ls->set.lock);
	if (layer)
		add_sums(&ls->closed, layer);
	l->layer = NULL;
	l->why = NULL;
	pthread_mutex_unlock(&ls->set.lock);
	layer_free(layer);
	free(why);
}

bool layers_close_unused(struct layers *ls, uint32_t seconds, size_t max)
{
	struct lazy *l;
	bool some = false;

	while ((l = lazy_set_take_unused(&ls->set, seconds, max))) {
		close_layer(ls, (struct mount_layer *)l);
		lazy_gone(&ls->set, l);
		some = true;
	}
	return some;
}

void layers_release(struct layers *ls)
{
	uint32_t i, n = table_count(&ls->table);
	struct mount_layer *l;

	for (i = 0; i < n; i++) {
		l = table_get(&ls->table, i);
		descriptor_release(&l->descriptor);
		free(l->extras);
		lazy_release(&l->lazy);
		free(l);
	}
	table_release(&ls->table);
	lazy_set_release(&ls->set);
	lazy_set_release(&ls->raw_blobs);
	lazy_set_release(&ls->files);
	pthread_mutex_destroy(&ls->extra_lock);
}

/* COUNTS */

void mount_layer_progress(const struct mount_layer *l, struct layer_progress *out)
{
	struct lazy_set *set = &l->layers->set;

	pthread_mutex_lock(&set->lock);
	if (l->layer)
		layer_progress(l->layer, out);
	else
		*out = (struct layer_progress){.state = mount_layer_is_bad(l->loaded)
								? LAYER_BROKEN
								: LAYER_WAITING,
					       .warning = ""};
	pthread_mutex_unlock(&set->lock);
}

void layers_sum(struct layers *ls, struct layer_sums *out)
{
	uint32_t i, n = table_count(&ls->table);
	const struct mount_layer *l;

	pthread_mutex_lock(&ls->set.lock);
	*out = ls->closed;
	for (i = 0; i < n; i++) {
		l = table_get(&ls->table, i);
		if (l->layer)
			add_sums(out, l->layer);
		out->errors += __atomic_load_n(&l->failures.n, __ATOMIC_RELAXED) +
			       (l->loaded < 0 && l->why);
	}
	pthread_mutex_unlock(&ls->set.lock);
}

/* EXTRA NAMES */

/* The position of the inode, or where it belongs. Under the lock. */
static uint32_t find_extra(const struct mount_layer *l, uint32_t inode)
{
	uint32_t low = 0, high = l->n_extras, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (l->extras[mid].inode < inode)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void insert_extra(struct mount_layer *l, uint32_t at, uint32_t inode, uint32_t n)
{
	struct extra *more;

	more = realloc(l->extras, (l->n_extras + 1) * sizeof(*more));
	if (!more)
		return; /* then its nlink stays too small */
	memmove(more + at + 1, more + at, (l->n_extras - at) * sizeof(*more));
	more[at] = (struct extra){inode, n};
	l->extras = more;
	__atomic_store_n(&l->n_extras, l->n_extras + 1, __ATOMIC_RELAXED);
}

void mount_layer_note_extra(struct mount_layer *l, uint32_t inode, uint32_t n)
{
	uint32_t at;

	pthread_mutex_lock(&l->layers->extra_lock);
	at = find_extra(l, inode);
	if (at == l->n_extras || l->extras[at].inode != inode)
		insert_extra(l, at, inode, n);
	else if (l->extras[at].n < n)
		l->extras[at].n = n;
	pthread_mutex_unlock(&l->layers->extra_lock);
}

uint32_t mount_layer_extra(struct mount_layer *l, uint32_t inode)
{
	uint32_t at, n = 0;

	if (__atomic_load_n(&l->n_extras, __ATOMIC_RELAXED) == 0)
		return 0;
	pthread_mutex_lock(&l->layers->extra_lock);
	at = find_extra(l, inode);
	if (at < l->n_extras && l->extras[at].inode == inode)
		n = l->extras[at].n;
	pthread_mutex_unlock(&l->layers->extra_lock);
	return n;
}
