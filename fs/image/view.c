/* SPDX-License-Identifier: MIT */
/*
 * A layer with bad bytes differs from one that is unavailable: no retry mends it, and the
 * documents of the image are still good. So the image is shown without rootfs/.
 */
#include "fs/image/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/num.h"
#include "base/store/slot.h"
#include "fs/image/context.h"
#include "fs/image/item.h"
#include "fs/image/layers.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "fs/text/facts.h"
#include "fs/tree/identity.h"
#include "fs/tree/merge.h"
#include "fs/tree/node.h"
#include "registry/image_source.h"
#include "tar/layer.h"

void view_free(struct view *v)
{
	descriptor_release(&v->entry);
	referrers_release(&v->referrers);
	index_blobs_release(&v->index_blobs);
	free(v->path);
	free(v->source);
	free(v->platforms);
	free(v);
}

/* THE SOURCE */

/* Images of a namespace are resolved by a reference of their own; *own is to be closed. */
static int open_source(const struct view *v, struct image_source **o,
		       struct image_source **own, struct err *e)
{
	int rc = 0;

	*own = NULL;
	if (v->source)
		rc = image_source_open(v->source, v->context->client, own, e);
	*o = v->source ? *own : v->image_source;
	return rc;
}

static int resolve(const struct view *v, struct image **out, struct err *e)
{
	struct image_source *o, *own;
	int rc = open_source(v, &o, &own, e);

	if (rc == 0 && v->is_entry)
		rc = image_source_resolve_entry(o, &v->entry, out, e);
	else if (rc == 0)
		rc = image_source_resolve(o, &v->context->options->platform, out, e);
	image_source_close(own);
	return rc;
}

/* Images of other platforms are shown beside this one, and the tree must end. */
size_t view_n_platforms(const struct view *v)
{
	return v->is_entry ? 0 : v->image->n_platforms;
}

bool view_has_index_blobs(const struct view *v)
{
	return v->image->has_index && !v->is_entry &&
	       !v->context->options->wants_platform;
}

int view_fetch_referrers(struct view *v, struct err *e)
{
	bool of_index = v->image->has_index && !v->is_entry;
	struct image_source *o, *own;
	int rc = open_source(v, &o, &own, e);

	if (rc == 0)
		rc = referrers_fetch(&v->referrers, o, v->image, of_index,
				     v->context->log, e);
	image_source_close(own);
	return rc < 0 ? err_prefix(e, rc, "what refers to %s", v->image->name) : 0;
}

int view_fetch_index_blobs(struct view *v, struct err *e)
{
	struct image_source *o, *own;
	int rc = open_source(v, &o, &own, e);

	if (rc == 0)
		rc = index_blobs_fetch(&v->index_blobs, v->image, o, v->image_source,
				       v->mount_layers, e);
	image_source_close(own);
	return rc < 0 ? err_prefix(e, rc, "the other images of %s", v->image->name) : 0;
}

/* THE IMAGE AND ITS LAYERS */

static bool has_own(const struct view *v, const struct mount_layer *l, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (v->own[i] == l)
			return true;
	}
	return false;
}

/* The layers; they are opened later. */
static int find_layers(struct view *v, const struct image *img)
{
	struct mount_layer **all = calloc(img->n_layers + 1,
					  sizeof(struct mount_layer *));
	uint64_t image = 0;
	size_t i, n = 0;
	int rc = 0;

	if (v->context->options->ino == INO_UNIQUE)
		image = node_seed(&img->manifest_descriptor.digest);
	v->layers = all;
	v->own = calloc(img->n_layers + 1, sizeof(struct mount_layer *));
	if (!all || !v->own)
		return -ENOMEM;
	for (i = 0; rc == 0 && i < img->n_layers; i++) {
		rc = layers_find(v->mount_layers, &img->layers[i], img->is_artifact,
				 image, v->image_source, &all[i]);
		if (rc == 0 && !has_own(v, all[i], n))
			v->own[n++] = all[i];
	}
	if (rc == 0) /* the progress bar sees all layers or none */
		__atomic_store_n(&v->n_own, n, __ATOMIC_RELEASE);
	return rc;
}

static bool has_index(struct context *c, const struct descriptor *d)
{
	struct slot *slot;
	int fd;

	if (slot_open(c->store, &d->digest, &slot) < 0)
		return false;
	fd = slot_open_index(slot);
	if (fd >= 0)
		close(fd);
	slot_close(slot);
	return fd >= 0;
}

/* SOCI is for gzip and plain tar; a layer with an embedded table does not need one. */
static bool may_have_table(const struct descriptor *d)
{
	return !strstr(d->media_type, "zstd") && !descriptor_annotation(d, ESTARGZ_KEY);
}

/*
 * Adds the tables of contents that a registry keeps beside the layers (SOCI), if -o index=
 * allows it. Nothing but the digest may decide what an image that was asked for by it
 * contains. The registry is asked only if a layer that may have a table has no index in the
 * store.
 */
static void find_tocs(const struct view *v, struct image *img)
{
	struct context *c = v->context;
	/* Images of a namespace are resolved by digest. */
	bool may_ask = false,
	     is_pinned = v->source || image_source_is_pinned(v->image_source);
	struct err e = {""};
	size_t i;

	if (c->options->tables == TABLES_NONE ||
	    (c->options->tables == TABLES_AUTO && is_pinned))
		return;
	for (i = 0; i < img->n_layers && !may_ask; i++)
		may_ask = may_have_table(&img->layers[i]) &&
			  !has_index(c, &img->layers[i]);
	if (image_source_find_tocs(v->image_source, img, may_ask, &e) < 0)
		log_info(c->log, "%s", e.text);
}

static int find_image(struct view *v, struct err *e)
{
	struct image *img = NULL;
	int rc = resolve(v, &img, e);

	v->image = img;
	if (rc == 0 && img->warning)
		log_warn(v->context->log, "%s: %s", img->name, img->warning);
	if (rc == 0 && v->is_referrer)
		img->is_artifact = true;
	if (rc == 0 && !v->platforms) {
		/* It stays: what is resolved by digest is the same each time. */
		v->platforms = calloc(img->n_platforms + 1, sizeof(*v->platforms));
		rc = v->platforms ? 0 : -ENOMEM;
	}
	if (rc < 0)
		return rc;
	if (!img->is_artifact)
		find_tocs(v, img);
	return find_layers(v, img);
}

/* Without an index there was no choice; but a platform that was asked for must match. */
static int check_platform(const struct view *v, struct err *e)
{
	char have[PLATFORM_TEXT_MAX], want[PLATFORM_TEXT_MAX];
	const struct options *o = v->context->options;
	const struct image *img = v->image;

	if (v->is_entry || img->is_artifact || !o->wants_platform ||
	    !img->platform.arch[0] || platform_match(&o->platform, &img->platform))
		return 0;
	return err_set(e, -ENOENT, "%s is for %s, not for %s", img->name,
		       platform_format(&img->platform, '/', have),
		       platform_format(&o->platform, '/', want));
}

/* WARNINGS */

static int count_broken(struct view *v, struct err *e)
{
	size_t i;

	for (i = 0; i < v->n_own; i++) {
		const struct mount_layer *l = v->own[i];

		if (l->loaded == 0)
			continue;
		v->n_broken++;
		if (v->context->options->layout == LAYOUT_ROOTFS)
			return err_set(e, l->loaded, "%s", mount_layer_why(l));
		log_error(v->context->log, "%s; rootfs/ cannot be shown",
			  mount_layer_why(l));
	}
	return 0;
}

/* A warning names the first one; -v names as many as the index knows. */
static void log_skipped(struct log *log, const struct layer *l)
{
	const struct index *ix = layer_index(l);
	char digest[DIGEST_TEXT_MAX];
	const char *text, *end;
	size_t len, line;

	if (index_info(ix)->n_skipped == 0 || index_skipped(ix, &text, &len) < 0)
		return;
	end = memchr(text, '\n', len);
	log_warn(log,
		 "layer %s: %u entries or attributes cannot be shown, the first "
		 "of them %.*s",
		 digest_format(layer_digest(l), digest), index_info(ix)->n_skipped,
		 (int)(end ? end - text : (ptrdiff_t)len), text);
	for (; len > 0; text += line, len -= line) {
		end = memchr(text, '\n', len);
		line = end ? (size_t)(end - text) + 1 : len;
		log_info(log, "layer %s: %.*s", digest, (int)(end ? line - 1 : line),
			 text);
	}
}

static void log_warnings(const struct view *v)
{
	struct log *log = v->context->log;
	struct layer_progress p;
	char digest[DIGEST_TEXT_MAX];
	size_t i;

	for (i = 0; i < v->n_own; i++) {
		const struct layer *l = v->own[i]->layer;

		if (v->own[i]->loaded < 0)
			continue;
		log_skipped(log, l);
		layer_progress(l, &p);
		if (p.warning[0])
			log_warn(log, "layer %s: %s%s",
				 digest_format(layer_digest(l), digest), p.warning,
				 p.basis == BASIS_STREAM
					 ? "; all of it was fetched instead"
					 : "");
	}
}

/* One sentence for all: there may be many. */
static void log_unbound(const struct view *v)
{
	uint32_t layer, n = merge_unbound(v->merge);
	char digest[DIGEST_TEXT_MAX], path[256] = "";

	if (n == 0 || merge_unbound_path(v->merge, 0, path, sizeof(path), &layer) < 0)
		return;
	digest_format(&v->image->layers[layer].digest, digest);
	log_warn(v->context->log,
		 "layer %s: %s is a hard link to nothing and is not shown%s", digest,
		 path, n > 1 ? ", nor are others" : "");
}

/* LOADING */

/* Over the layers that can be shown, each as often as the image has it. */
static void add_up(struct view *v)
{
	const struct index_info *info;
	size_t i;

	for (i = 0; i < v->image->n_layers; i++) {
		const struct mount_layer *l = v->layers[i];

		if (l->loaded < 0)
			continue;
		info = index_info(layer_index(l->layer));
		v->has_xattrs |= info->has_xattrs;
		v->has_sparse |= info->has_sparse;
		v->content_size = add_sizes(v->content_size, info->content_size);
		v->n_entries += info->n_entries;
	}
}

static void note_extras(struct view *v)
{
	uint32_t i, number, inode, n;

	for (i = 0; merge_target(v->merge, i, &number, &inode, &n); i++)
		mount_layer_note_extra(layers_get(v->mount_layers, number), inode, n);
}

static int merge_layers_of(struct view *v, struct err *e)
{
	const struct image *img = v->image;
	struct tree_layer *parts = calloc(img->n_layers + 1, sizeof(*parts));
	size_t i;
	int rc;

	if (!parts)
		return -ENOMEM;
	for (i = 0; i < img->n_layers; i++) {
		parts[i].mount_number = v->layers[i]->number;
		parts[i].seed = v->layers[i]->seed;
		parts[i].by_place = v->context->options->ino == INO_UNIQUE;
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

static int load_layers(struct view *v, struct err *e)
{
	int rc = count_broken(v, e);

	if (rc < 0)
		return rc;
	log_warnings(v);
	add_up(v);
	return v->n_broken == 0 ? merge_layers_of(v, e) : 0;
}

/* An artifact has no layers but blobs, which are files and not read before they are used. */
static int load_artifact(struct view *v, struct err *e)
{
	const struct image *img = v->image;
	size_t i;

	if (!v->context->mountpoint || v->context->options->layout == LAYOUT_ROOTFS)
		return image_must_have_files(img, e);
	for (i = 0; i < img->n_layers; i++)
		v->content_size = add_sizes(v->content_size, img->layers[i].size);
	v->n_entries = img->n_layers;
	return 0;
}

static int make_texts(struct view *v)
{
	const struct context *c = v->context;
	struct image_facts facts = {.image = v->image,
				    .has_index_blobs = view_has_index_blobs(v)};
	char *path = NULL;
	int rc;

	if (c->options->layout != LAYOUT_IMAGE)
		return 0;
	if (c->mountpoint && asprintf(&path, "%s%s", c->mountpoint, v->path) < 0)
		return -ENOMEM;
	facts.path = path;
	rc = texts_make(&v->texts, &facts, v->layers, view_n_platforms(v));
	free(path);
	return rc;
}

int view_load(struct view *v, struct err *e)
{
	bool is_first = v->number == 0;
	int rc;

	err_set(e, 0, "out of memory");
	rc = find_image(v, e);
	if (rc == 0)
		rc = check_platform(v, e);
	if (rc == 0)
		rc = layers_pin(v->own, v->n_own, is_first, e);
	if (rc < 0)
		return rc;
	v->has_layers = true;
	rc = v->image->is_artifact ? load_artifact(v, e) : load_layers(v, e);
	return rc < 0 ? rc : make_texts(v);
}

void view_unload(struct view *v)
{
	texts_release(&v->texts);
	merge_free(v->merge);
	if (v->has_layers)
		layers_unpin(v->own, v->n_own);
	free(v->layers);
	free(v->own);
	image_free(v->image);
	v->merge = NULL;
	v->layers = v->own = NULL;
	v->image = NULL;
	v->has_layers = v->has_xattrs = v->has_sparse = false;
	v->n_own = 0;
	v->n_broken = 0;
	v->content_size = v->n_entries = 0;
}

/* ATTRIBUTES */

uint64_t view_item_ino(const struct view *v, const struct node *row, bool has_parameter)
{
	uint64_t seed = node_seed(v->around ? &v->digest
					    : &v->image->manifest_descriptor.digest);
	uint64_t place = identity_path(IDENTITY_ROOT, v->path, strlen(v->path));
	uint64_t sum = node_ino_add(node_ino_add(place, seed, 0), seed, row->layer);

	return node_ino_end(has_parameter ? node_ino_add(sum, seed, row->entry) : sum);
}

void view_item(const struct view *v, uint64_t node, uint64_t ino, int64_t time,
	       uint32_t mode, size_t size, struct item *out)
{
	struct stat *st = &out->attr;

	memset(out, 0, sizeof(*out));
	out->node = node;
	st->st_ino = ino;
	st->st_mode = mode;
	st->st_nlink = 1;
	st->st_uid = v->context->uid;
	st->st_gid = v->context->gid;
	st->st_mtim.tv_sec = time;
	st->st_atim = st->st_ctim = st->st_mtim;
	st->st_size = (off_t)size;
	st->st_blocks = (blkcnt_t)((size + 511) / 512);
}

void view_item_top(const struct view *v, struct item *out)
{
	struct node top = {.image = v->number, .entry = 1};

	view_item(v, node_pack(&top), view_item_ino(v, &top, false), v->created,
		  S_IFDIR | 0555, 0, out);
}
