/* SPDX-License-Identifier: MIT */
/*
 * From a source to a tree: resolve, get the index of every layer, merge. All layers
 * are loaded at once, the largest first, each by a thread of its own up to a number
 * that no usual image exceeds; the first that fails for good stops the others.
 *
 * A layer whose bytes are bad is another thing than one that cannot be had: nothing
 * that is tried again will mend it, and the documents of the image are still good.
 */
#include "fs/mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "fs/log.h"
#include "fs/merge.h"
#include "fs/node.h"
#include "fs/options.h"
#include "fs/synthetic.h"
#include "registry/origin.h"
#include "tar/layer.h"

/* Each decodes with some MiB of memory and a connection. */
#define THREADS_MAX 16

static bool is_bad_layer(int code)
{
	return code == -EBADMSG || code == -E2BIG || code == -ENOTSUP;
}

/* The slot of image layer @i among the first @n slots; @n if it is new. */
static size_t find_slot(const struct mount *m, const struct descriptor *d, size_t n)
{
	size_t slot;

	for (slot = 0; slot < n; slot++) {
		if (digest_equal(&m->layers[slot].descriptor->digest, &d->digest))
			break;
	}
	return slot;
}

/* What the manifest says of an index that the layer carries. */
static void hint_layer(struct layer *l, const struct descriptor *d)
{
	struct layer_hints h = {
		.estargz_digest = descriptor_annotation(
			d, "containerd.io/snapshot/stargz/toc.digest"),
		.chunked_digest = descriptor_annotation(
			d, "io.github.containers.zstd-chunked.manifest-checksum"),
		.chunked_position = descriptor_annotation(
			d, "io.github.containers.zstd-chunked.manifest-position"),
	};

	if (!h.chunked_digest || !h.chunked_position) {
		h.chunked_digest = descriptor_annotation(
			d, "io.containers.zstd-chunked.manifest-checksum");
		h.chunked_position = descriptor_annotation(
			d, "io.containers.zstd-chunked.manifest-position");
	}
	layer_hint(l, &h);
}

static int add_layer(struct mount *m, struct mount_layer *l, const struct descriptor *d,
		     struct err *e)
{
	char digest[DIGEST_TEXT_MAX];
	struct source *blob;
	int r;

	l->descriptor = d;
	l->seed = node_seed(&d->digest);
	r = origin_blob(m->origin, d, &blob, &l->why);
	if (r == 0) {
		r = layer_new(m->store, &d->digest, blob, &l->layer);
		if (r == 0)
			hint_layer(l->layer, d);
		return r;
	}
	err_prefix(&l->why, r, "layer %s", digest_format(&d->digest, digest));
	*e = l->why;
	l->loaded = r;
	/* A blob that is only a file can be shown, and is missed when it is read. */
	return is_bad_layer(r) || m->view.image->is_artifact ? 0 : r;
}

/* One slot for each different layer of the image. */
static int make_slots(struct mount *m, struct image *img, struct err *e)
{
	struct mount_layer *layers = calloc(img->n_layers + 1, sizeof(*layers));
	uint32_t *slots = calloc(img->n_layers + 1, sizeof(*slots));
	size_t i, slot, n = 0;
	int r = 0;

	m->view.image = img;
	m->view.slots = slots;
	m->layers = layers;
	if (!layers || !slots)
		return -ENOMEM;
	for (i = 0; r == 0 && i < img->n_layers; i++) {
		slot = find_slot(m, &img->layers[i], n);
		slots[i] = (uint32_t)slot;
		if (slot < n)
			continue;
		r = add_layer(m, &layers[n], &img->layers[i], e);
		if (r == 0)
			n++;
	}
	pthread_mutex_lock(&m->lock);
	m->n_layers = n;
	pthread_mutex_unlock(&m->lock);
	return r;
}

/* Work shared by the loading threads. */
struct loading {
	struct mount *m;
	size_t *order; /* slots, the largest layer first */
	size_t next;   /* atomic: in order */
};

static void *load_layers(void *arg)
{
	struct loading *work = arg;
	struct mount *m = work->m;
	size_t i;

	while ((i = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED)) < m->n_layers) {
		struct mount_layer *l = &m->layers[work->order[i]];

		if (!l->layer)
			continue;
		l->loaded = layer_load(l->layer, &m->cancelled, &l->why);
		if (l->loaded < 0 && !is_bad_layer(l->loaded))
			mount_cancel(m);
	}
	return NULL;
}

static int compare_sizes(const void *a, const void *b, void *arg)
{
	const struct mount *m = arg;
	uint64_t x = m->layers[*(const size_t *)a].descriptor->size;
	uint64_t y = m->layers[*(const size_t *)b].descriptor->size;

	return x > y ? -1 : x < y;
}

static int load_all(struct mount *m)
{
	struct loading work = {.m = m};
	pthread_t threads[THREADS_MAX];
	size_t i, n = 0;

	work.order = calloc(m->n_layers + 1, sizeof(*work.order));
	if (!work.order)
		return -ENOMEM;
	for (i = 0; i < m->n_layers; i++)
		work.order[i] = i;
	qsort_r(work.order, m->n_layers, sizeof(*work.order), compare_sizes, m);
	while (n < THREADS_MAX && n + 1 < m->n_layers &&
	       pthread_create(&threads[n], NULL, load_layers, &work) == 0)
		n++;
	load_layers(&work); /* this thread is one of them */
	while (n-- > 0)
		pthread_join(threads[n], NULL);
	free(work.order);
	return 0;
}

/* The failure that stands for all, and the sentences about bad layers, which name them. */
static int judge(struct mount *m, struct err *e)
{
	size_t i;
	int r = 0;

	for (i = 0; i < m->n_layers; i++) {
		struct mount_layer *l = &m->layers[i];

		/* Who was only stopped by another's failure says nothing of it. */
		if (l->loaded == 0 || is_bad_layer(l->loaded) ||
		    (l->loaded == -EINTR && r < 0))
			continue;
		r = err_set(e, l->loaded, "%s", l->why.text);
		if (r != -EINTR)
			return r;
	}
	for (i = 0; r == 0 && i < m->n_layers; i++) {
		struct mount_layer *l = &m->layers[i];

		if (l->loaded == 0)
			continue;
		m->view.n_broken++;
		if (m->options->layout == LAYOUT_ROOTFS)
			return err_set(e, l->loaded, "%s", l->why.text);
		log_error(m->log, "%s; rootfs/ cannot be shown", l->why.text);
	}
	return r;
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

static void log_warnings(struct mount *m)
{
	struct layer_progress p;
	char digest[DIGEST_TEXT_MAX];
	size_t i;

	for (i = 0; i < m->n_layers; i++) {
		if (m->layers[i].loaded < 0)
			continue;
		log_skipped(m, m->layers[i].layer);
		layer_progress(m->layers[i].layer, &p);
		if (p.warning[0])
			log_warn(m->log, "layer %s: %s; all of it was fetched instead",
				 digest_format(layer_digest(m->layers[i].layer), digest),
				 p.warning);
	}
}

static void log_unbound(struct mount *m)
{
	uint32_t i, layer, n = merge_unbound(m->view.merge);
	char digest[DIGEST_TEXT_MAX], path[256] = "";

	/* One sentence for all of a kind: there may be many. */
	for (i = 0; i < n && i < 1; i++) {
		if (merge_unbound_path(m->view.merge, i, path, sizeof(path), &layer) < 0)
			return;
		digest_format(&m->view.image->layers[layer].digest, digest);
		log_warn(m->log,
			 "layer %s: %s is a hard link to nothing and is not shown%s",
			 digest, path, n > 1 ? ", nor are others" : "");
	}
}

/* Over the layers that can be shown, each as often as the image has it. */
static void add_up(struct mount *m)
{
	const struct index_info *info;
	size_t i;

	for (i = 0; i < m->view.image->n_layers; i++) {
		const struct mount_layer *l = &m->layers[m->view.slots[i]];

		if (l->loaded < 0)
			continue;
		info = index_info(layer_index(l->layer));
		m->has_xattrs |= info->has_xattrs;
		m->has_sparse |= info->has_sparse;
		m->content_size = add_sizes(m->content_size, info->content_size);
		m->n_entries += info->n_entries;
	}
}

static int merge_all(struct mount *m, struct err *e)
{
	const struct image *img = m->view.image;
	struct merge_layer *parts = calloc(img->n_layers + 1, sizeof(*parts));
	size_t i;
	int r;

	if (!parts)
		return -ENOMEM;
	for (i = 0; i < img->n_layers; i++) {
		parts[i].slot = m->view.slots[i];
		parts[i].seed = m->layers[parts[i].slot].seed;
		parts[i].by_place = m->options->ino_unique;
		parts[i].index = layer_index(m->layers[parts[i].slot].layer);
	}
	r = merge_new(parts, img->n_layers, 0, &m->view.merge);
	if (r < 0)
		err_set(e, r, "the index of a layer is damaged; try again");
	else
		log_unbound(m);
	free(parts);
	return r;
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

/* The layers, and all of them as one. */
static int load_image(struct mount *m, struct err *e)
{
	int r = check_platform(m, m->view.image, e);

	if (r == 0)
		r = load_all(m);
	if (r == 0)
		r = judge(m, e);
	if (r < 0)
		return r;
	log_warnings(m);
	add_up(m);
	return m->view.n_broken == 0 ? merge_all(m, e) : 0;
}

/* No layers: its blobs are files, and nothing of them is read before it is asked for. */
static int load_artifact(struct mount *m, struct err *e)
{
	const struct image *img = m->view.image;
	size_t i;

	if (!m->mountpoint || m->options->layout == LAYOUT_ROOTFS)
		return image_must_have_files(img, e);
	for (i = 0; i < img->n_layers; i++)
		m->content_size = add_sizes(m->content_size, img->layers[i].size);
	m->n_entries = img->n_layers;
	return 0;
}

int mount_load(struct mount *m, struct err *e)
{
	struct image *img;
	int r;

	err_set(e, 0, "out of memory");
	r = origin_resolve(m->origin, &m->options->platform, &img, e);
	if (r == 0)
		r = make_slots(m, img, e);
	if (r == 0)
		r = img->is_artifact ? load_artifact(m, e) : load_image(m, e);
	if (r == 0 && m->mountpoint && m->options->layout == LAYOUT_IMAGE)
		r = synthetic_load(m);
	m->is_loaded = r == 0;
	return r;
}
