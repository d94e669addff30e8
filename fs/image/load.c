/* SPDX-License-Identifier: MIT */
/*
 * From a source to a tree: resolve, get the index of every layer, merge. All layers
 * are loaded at once, the largest first, each by a thread of its own up to a number
 * that no usual image exceeds. Of the image that is mounted the first layer that fails
 * for good stops the others; the layers of other images may be wanted by more than one.
 *
 * A layer whose bytes are bad is another thing than one that cannot be had: nothing
 * that is tried again will mend it, and the documents of the image are still good.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"
#include "fs/options/log.h"
#include "fs/tree/merge.h"
#include "fs/image/context.h"
#include "fs/tree/node.h"
#include "fs/options/options.h"
#include "fs/node/synthetic.h"
#include "fs/image/external_tocs.h"
#include "registry/image_source.h"
#include "tar/layer.h"

/* Each decodes with some MiB of memory and a connection. Of all images together. */
#define THREADS_MAX 16

/* RESOLVING */

/* An image of a namespace is asked for by its own reference: *own, to be closed. */
static int open_origin(const struct view *v, struct image_source **o,
		       struct image_source **own, struct err *e)
{
	int rc = 0;

	*own = NULL;
	if (v->source)
		rc = image_source_open(v->source, v->mount->client, own, e);
	*o = v->source ? *own : v->image_source;
	return rc;
}

int view_resolve(const struct view *v, const struct descriptor *entry, struct image **out,
		 struct err *e)
{
	struct image_source *o, *own;
	int rc = open_origin(v, &o, &own, e);

	if (rc == 0 && entry)
		rc = image_source_resolve_entry(o, entry, out, e);
	else if (rc == 0)
		rc = image_source_resolve(o, &v->mount->options->platform, out, e);
	image_source_close(own);
	return rc;
}

int view_document(const struct view *v, const struct descriptor *d, struct buf *out,
		  struct err *e)
{
	struct image_source *o, *own;
	int rc = open_origin(v, &o, &own, e);

	if (rc == 0)
		rc = image_source_document(o, d, out, e);
	image_source_close(own);
	return rc;
}

/* Is layer @i of the image one that came before? */
static bool has_own(const struct view *v, const struct mount_layer *l, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (v->own[i] == l)
			return true;
	}
	return false;
}

/* The layers, none of them open yet. */
static int find_layers(struct view *v, const struct image *img)
{
	struct mount_layer **all = calloc(img->n_layers + 1,
					  sizeof(struct mount_layer *));
	uint64_t image = 0;
	size_t i, n = 0;
	int rc = 0;

	if (v->mount->options->ino == INO_UNIQUE)
		image = node_seed(&img->manifest_descriptor.digest);
	v->layers = all;
	v->own = calloc(img->n_layers + 1, sizeof(struct mount_layer *));
	if (!all || !v->own)
		return -ENOMEM;
	for (i = 0; rc == 0 && i < img->n_layers; i++) {
		rc = layers_find(v->mount, &img->layers[i], img->is_artifact, image,
				 v->image_source, &all[i]);
		if (rc == 0 && !has_own(v, all[i], n))
			v->own[n++] = all[i];
	}
	if (rc < 0)
		return rc;
	/* Who draws the progress sees all of it or nothing. */
	pthread_mutex_lock(&v->mount->images.set.lock);
	v->n_own = n;
	pthread_mutex_unlock(&v->mount->images.set.lock);
	return 0;
}

/* Without an index there was nothing to choose: but who asked is not to get another. */
static int check_platform(const struct mount *m, const struct image *img, struct err *e)
{
	char have[PLATFORM_TEXT_MAX], want[PLATFORM_TEXT_MAX];

	if (!m->options->wants_platform || !img->platform.arch[0] ||
	    platform_match(&m->options->platform, &img->platform))
		return 0;
	return err_set(e, -ENOENT, "%s is for %s, not for %s", img->name,
		       platform_format(&img->platform, '/', have),
		       platform_format(&m->options->platform, '/', want));
}

/* LAYERS */

/* A layer, for the threads that load it. */
struct part {
	struct mount_layer *layer;
	int result; /* 0: it is pinned */
	struct err err;
};

/* Work shared by the loading threads. */
struct loading {
	struct view *view;
	struct part *parts; /* the largest layer first */
	size_t next;	    /* atomic: in parts */
};

static void *load_layers(void *arg)
{
	struct loading *work = arg;
	struct mount *m = work->view->mount;
	size_t i;

	while ((i = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED)) <
	       work->view->n_own) {
		struct part *p = &work->parts[i];

		p->result = mount_layer_open(m, p->layer, &p->err);
		if (p->result < 0 && work->view == m->view)
			mount_cancel(m);
	}
	return NULL;
}

static void *help(void *arg)
{
	struct loading *work = arg;

	load_layers(work);
	__atomic_sub_fetch(&work->view->mount->layers.n_threads, 1, __ATOMIC_RELAXED);
	return NULL;
}

static int compare_sizes(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	uint64_t xs = x->layer->descriptor.size, ys = y->layer->descriptor.size;

	return xs > ys ? -1 : xs < ys;
}

static bool start_helper(struct loading *work, pthread_t *thread)
{
	unsigned *n = &work->view->mount->layers.n_threads;

	if (__atomic_add_fetch(n, 1, __ATOMIC_RELAXED) < THREADS_MAX &&
	    pthread_create(thread, NULL, help, work) == 0)
		return true;
	__atomic_sub_fetch(n, 1, __ATOMIC_RELAXED);
	return false;
}

static void load_all(struct view *v, struct part *parts)
{
	struct loading work = {.view = v, .parts = parts};
	pthread_t threads[THREADS_MAX];
	size_t n = 0;

	while (n < THREADS_MAX && n + 1 < v->n_own && start_helper(&work, &threads[n]))
		n++;
	load_layers(&work); /* this thread is one of them */
	while (n-- > 0)
		pthread_join(threads[n], NULL);
}

/* The failure that stands for all. */
static int judge(const struct part *parts, size_t n, struct err *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < n; i++) {
		/* Who was only stopped by another's failure says nothing of it. */
		if (parts[i].result == 0 || (parts[i].result == -EINTR && rc < 0))
			continue;
		rc = err_set(e, parts[i].result, "%s", parts[i].err.text);
		if (rc != -EINTR)
			break;
	}
	return rc;
}

/* All pinned, or none. */
static int pin_layers(struct view *v, struct err *e)
{
	struct part *parts = calloc(v->n_own + 1, sizeof(*parts));
	size_t i;
	int rc;

	if (!parts) {
		v->n_own = 0;
		return -ENOMEM;
	}
	for (i = 0; i < v->n_own; i++)
		parts[i].layer = v->own[i];
	qsort(parts, v->n_own, sizeof(*parts), compare_sizes);
	load_all(v, parts);
	rc = judge(parts, v->n_own, e);
	for (i = 0; rc < 0 && i < v->n_own; i++) {
		if (parts[i].result == 0)
			mount_layer_unpin(parts[i].layer);
	}
	free(parts);
	return rc;
}

/* WHAT IS SAID OF THEM */

/* The sentences about bad layers, which name them. */
static int count_broken(struct view *v, struct err *e)
{
	struct mount *m = v->mount;
	size_t i;

	for (i = 0; i < v->n_own; i++) {
		const struct mount_layer *l = v->own[i];

		if (l->loaded == 0)
			continue;
		v->n_broken++;
		if (m->options->layout == LAYOUT_ROOTFS)
			return err_set(e, l->loaded, "%s", mount_layer_why(l));
		log_error(m->log, "%s; rootfs/ cannot be shown", mount_layer_why(l));
	}
	return 0;
}

/* The first by name; -v names as many as the index knows. */
static void log_skipped(struct mount *m, const struct layer *l)
{
	const struct index *ix = layer_index(l);
	char digest[DIGEST_TEXT_MAX];
	const char *text, *end;
	size_t len, line;

	if (index_info(ix)->n_skipped == 0 || index_skipped(ix, &text, &len) < 0)
		return;
	end = memchr(text, '\n', len);
	log_warn(m->log, "layer %s: %u entries cannot be shown, the first of them %.*s",
		 digest_format(layer_digest(l), digest), index_info(ix)->n_skipped,
		 (int)(end ? end - text : (ptrdiff_t)len), text);
	for (; len > 0; text += line, len -= line) {
		end = memchr(text, '\n', len);
		line = end ? (size_t)(end - text) + 1 : len;
		log_info(m->log, "layer %s: %.*s", digest, (int)(end ? line - 1 : line),
			 text);
	}
}

static void log_warnings(const struct view *v)
{
	struct mount *m = v->mount;
	struct layer_progress p;
	char digest[DIGEST_TEXT_MAX];
	size_t i;

	for (i = 0; i < v->n_own; i++) {
		const struct layer *l = v->own[i]->layer;

		if (v->own[i]->loaded < 0)
			continue;
		log_skipped(m, l);
		layer_progress(l, &p);
		if (p.warning[0])
			log_warn(m->log, "layer %s: %s%s",
				 digest_format(layer_digest(l), digest), p.warning,
				 p.basis == BASIS_STREAM
					 ? "; all of it was fetched instead"
					 : "");
	}
}

static void log_unbound(const struct view *v)
{
	uint32_t layer, n = merge_unbound(v->merge);
	char digest[DIGEST_TEXT_MAX], path[256] = "";

	/* One sentence for all of a kind: there may be many. */
	if (n == 0 || merge_unbound_path(v->merge, 0, path, sizeof(path), &layer) < 0)
		return;
	digest_format(&v->image->layers[layer].digest, digest);
	log_warn(v->mount->log,
		 "layer %s: %s is a hard link to nothing and is not shown%s", digest,
		 path, n > 1 ? ", nor are others" : "");
}

/* Over the layers that can be shown, each as often as the image has it. */
static void add_up(struct view *v)
{
	struct mount *m = v->mount;
	const struct index_info *info;
	size_t i;

	for (i = 0; i < v->image->n_layers; i++) {
		const struct mount_layer *l = v->layers[i];

		if (l->loaded < 0)
			continue;
		info = index_info(layer_index(l->layer));
		if (v == m->view) {
			m->has_xattrs |= info->has_xattrs;
			m->has_sparse |= info->has_sparse;
		}
		v->content_size = add_sizes(v->content_size, info->content_size);
		v->n_entries += info->n_entries;
	}
}

/* MERGING */

static void note_extras(struct view *v)
{
	uint32_t i, slot, inode, n;

	for (i = 0; merge_target(v->merge, i, &slot, &inode, &n); i++)
		mount_layer_note_extra(v->mount, layers_get(v->mount, slot), inode, n);
}

static int merge_all(struct view *v, struct err *e)
{
	const struct image *img = v->image;
	struct tree_layer *parts = calloc(img->n_layers + 1, sizeof(*parts));
	size_t i;
	int rc;

	if (!parts)
		return -ENOMEM;
	for (i = 0; i < img->n_layers; i++) {
		parts[i].mount_number = v->layers[i]->slot;
		parts[i].seed = v->layers[i]->seed;
		parts[i].by_place = v->mount->options->ino == INO_UNIQUE;
		parts[i].index = layer_index(v->layers[i]->layer);
	}
	rc = merge_new(parts, img->n_layers, v->number, &v->merge);
	if (rc < 0) {
		err_set(e, rc, "the index of a layer is damaged; try again");
	} else {
		log_unbound(v);
		note_extras(v);
	}
	free(parts);
	return rc;
}

static int find_image(struct view *v, struct err *e)
{
	struct image *img = NULL;
	int rc = view_resolve(v, v->is_entry ? &v->entry : NULL, &img, e);

	v->image = img;
	if (rc == 0 && v->is_referrer)
		img->is_artifact = true;
	if (rc == 0 && !v->platforms) {
		/* What is found by digest is the same each time: so for ever. */
		v->platforms = calloc(img->n_platforms + 1, sizeof(*v->platforms));
		rc = v->platforms ? 0 : -ENOMEM;
	}
	if (rc < 0)
		return rc;
	if (!img->is_artifact)
		external_tocs_find(v, img);
	return find_layers(v, img);
}

/* All layers as one. */
static int load_image(struct view *v, struct err *e)
{
	int rc = count_broken(v, e);

	if (rc < 0)
		return rc;
	log_warnings(v);
	add_up(v);
	return v->n_broken == 0 ? merge_all(v, e) : 0;
}

/* No layers: its blobs are files, and nothing of them is read before it is asked for. */
static int load_artifact(struct view *v, struct err *e)
{
	const struct image *img = v->image;
	size_t i;

	if (!v->mount->mountpoint || v->mount->options->layout == LAYOUT_ROOTFS)
		return image_must_have_files(img, e);
	for (i = 0; i < img->n_layers; i++)
		v->content_size = add_sizes(v->content_size, img->layers[i].size);
	v->n_entries = img->n_layers;
	return 0;
}

int view_load(struct view *v, struct err *e)
{
	struct mount *m = v->mount;
	int rc;

	err_set(e, 0, "out of memory");
	rc = find_image(v, e);
	if (rc == 0 && !v->is_entry && !v->image->is_artifact)
		rc = check_platform(m, v->image, e);
	if (rc < 0)
		return rc;
	rc = pin_layers(v, e);
	v->is_pinned = rc == 0;
	if (rc == 0)
		rc = v->image->is_artifact ? load_artifact(v, e) : load_image(v, e);
	if (rc == 0 && m->mountpoint && m->options->layout == LAYOUT_IMAGE)
		rc = synthetic_load(v);
	return rc;
}

void view_unload(struct view *v)
{
	size_t i;

	synthetic_release(v);
	merge_free(v->merge);
	for (i = 0; v->is_pinned && i < v->n_own; i++)
		mount_layer_unpin(v->own[i]);
	free(v->layers);
	free(v->own);
	image_free(v->image);
	v->merge = NULL;
	v->layers = v->own = NULL;
	v->image = NULL;
	v->is_pinned = false;
	v->n_own = 0;
	v->n_broken = 0;
	v->content_size = v->n_entries = 0;
}

int mount_load(struct mount *m, struct err *e)
{
	struct view *v = m->view;
	int rc;

	if (m->namespace) {
		m->has_xattrs = m->has_sparse = true;
		return 0;
	}
	lazy_need(&m->images.set, &v->lazy, NULL);
	rc = view_load(v, e);
	if (rc == 0 && m->options->layout == LAYOUT_IMAGE && v->image->n_platforms > 0)
		m->has_xattrs = m->has_sparse = true;
	/* What was loaded before a failure stays until the end: progress may be drawn. */
	lazy_made(&m->images.set, &v->lazy, rc);
	m->is_loaded = rc == 0;
	return rc;
}
