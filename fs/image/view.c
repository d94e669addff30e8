/* SPDX-License-Identifier: MIT */
/*
 * A layer with bad bytes differs from one that is unavailable: no retry mends it, and the
 * documents of the image are still good. So the image is shown without rootfs/. Layers that
 * have an index in the store are opened with the image, because that needs no network.
 */
#include "fs/image/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"
#include "fs/erofs/image.h"
#include "fs/erofs/merged_tree.h"
#include "fs/image/beside.h"
#include "fs/image/context.h"
#include "fs/image/erofs_file.h"
#include "fs/image/image_note.h"
#include "fs/image/item.h"
#include "fs/image/layer_files.h"
#include "fs/image/layers.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "fs/text/blob_names.h"
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
	return rc < 0 ? err_prefix(e, rc, "the referrers of %s", v->image->name) : 0;
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

/*
 * Adds the indexes that a registry keeps beside the image, if they may be used. The registry is
 * asked only if one of the layers needs it.
 */
static void find_beside(const struct view *v)
{
	/* Images of a namespace are resolved by digest. */
	bool is_pinned = v->source || image_source_is_pinned(v->image_source);

	beside_find_allowed(v->context, v->image_source, v->image, is_pinned);
}

/* The image whose layers these are, if others must not share them: layers_find(). */
static uint64_t layers_seed(const struct view *v)
{
	return v->context->options->ino == INO_UNIQUE
		       ? node_seed(&v->image->manifest_descriptor.digest)
		       : 0;
}

static bool has_all_indexes(const struct view *v)
{
	size_t i;

	for (i = 0; i < v->image->n_layers; i++) {
		if (!beside_has_index(v->context, &v->image->layers[i]))
			return false;
	}
	return true;
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
	return rc;
}

/* Without an index there was no choice; but a platform that was asked for must match. */
int view_check_platform(const struct context *c, const struct image *img, struct err *e)
{
	char have[PLATFORM_TEXT_MAX], want[PLATFORM_TEXT_MAX];
	const struct options *o = c->options;

	if (img->is_artifact || !o->wants_platform || !img->platform.arch[0] ||
	    platform_match(&o->platform, &img->platform))
		return 0;
	return err_set(e, -ENOENT, "%s is for %s, not for %s", img->name,
		       platform_format(&img->platform, '/', have),
		       platform_format(&o->platform, '/', want));
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

/* THE TREE */

static void note_extras(struct view *v)
{
	uint32_t i, number, inode, n;

	for (i = 0; merge_target(v->merge, i, &number, &inode, &n); i++)
		mount_layer_note_extra(layers_get(v->mount_layers, number), inode, n);
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
		const struct mount_layer *l = v->layers.all[i];

		parts[i].mount_number = l->number;
		parts[i].seed = l->seed;
		parts[i].by_place = v->context->options->ino == INO_UNIQUE;
		parts[i].index = layer_index(l->layer);
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

/* With what only open layers tell, if @has_layers. */
static int make_texts(struct view *v, bool has_layers)
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
	rc = has_layers ? texts_measure(&v->texts, &facts, v->layers.all)
			: texts_make(&v->texts, &facts, view_n_platforms(v));
	free(path);
	return rc;
}

int view_find_layers(struct view *v, struct err *e)
{
	int rc;

	err_set(e, 0, "out of memory");
	if (v->image->is_artifact) {
		rc = layer_list_find_packed(&v->layers, v->mount_layers, v->image,
					    layers_seed(v), v->image_source);
	} else {
		find_beside(v);
		rc = layer_list_find(&v->layers, v->mount_layers, v->image,
				     layers_seed(v), v->image_source);
	}
	if (rc < 0)
		layer_list_release(&v->layers);
	else
		image_note_put(v->context->store, v->image);
	return rc;
}

/* Unless they make the mount fail: mount_load_tree(). */
static void log_broken(const struct view *v)
{
	const struct options *o = v->context->options;
	const struct mount_layer *l;
	size_t i = 0;

	if (o->wait && options_shows_rootfs(o))
		return;
	while ((l = layer_list_broken(&v->layers, &i)))
		mount_layer_log_broken(
			l, o->layout > LAYOUT_ROOTFS ? "" : "; rootfs/ cannot be shown");
}

int view_make_erofs(struct view *v, struct err *e)
{
	struct erofs_from from = {.file = "rootfs.erofs",
				  .whose = v->image->name,
				  .digest = &v->image->manifest_descriptor.digest,
				  .n_entries = v->totals.n_entries};
	struct erofs_image *im = NULL;
	struct merged_tree t;
	int rc = merged_tree_init(&t, v->merge);

	if (rc < 0)
		return err_set(e, rc,
			       "rootfs.erofs of %s: the index of a layer is damaged",
			       v->image->name);
	from.tree = &t.tree;
	rc = erofs_file_make(v->context, &from, &im, e);
	if (rc == 0)
		__atomic_store_n(&v->erofs, im, __ATOMIC_RELEASE);
	return rc;
}

/* With layout=erofs the list of images tells. */
static void refuse_files(struct view *v, const struct err *e)
{
	v->files_why = strdup(e->text);
	if (v->context->options->layout == LAYOUT_EROFS)
		return;
	context_note(v->context, v->path, e->text);
	log_warn(v->context->log, "%s: no layer is shown as an EROFS image: %s",
		 v->image->name, e->text);
}

int view_make_files(struct view *v, struct err *e)
{
	const struct mount_layer *broken;
	size_t i = 0;
	int rc;

	broken = layer_list_broken(&v->layers, &i);
	if (broken)
		rc = err_set(e, -EBADMSG, "%s", mount_layer_why(broken));
	else
		rc = layer_files_pin(&v->layers, v->image, e);
	if (rc < 0 && !layer_files_never(rc))
		return rc;
	if (rc < 0)
		refuse_files(v, e);
	__atomic_store_n(&v->files, rc < 0 ? VIEW_FILES_NONE : VIEW_FILES_MADE,
			 __ATOMIC_RELEASE);
	return 0;
}

static void drop_tree(struct view *v)
{
	erofs_image_free(v->erofs);
	v->erofs = NULL;
	if (v->files == VIEW_FILES_MADE)
		layer_files_unpin(&v->layers);
	v->files = VIEW_FILES_UNKNOWN;
	free(v->files_why);
	v->files_why = NULL;
	texts_unmeasure(&v->texts);
	merge_free(v->merge);
	v->merge = NULL;
	if (v->has_pins)
		layers_unpin(v->layers.own, v->layers.n_own);
	v->has_pins = false;
}

int view_load_tree(struct view *v, bool fail_fast, struct err *e)
{
	int rc;

	err_set(e, 0, "out of memory");
	rc = layers_pin(v->layers.own, v->layers.n_own, fail_fast, e);
	if (rc < 0)
		return rc;
	v->has_pins = true;
	layer_list_log(&v->layers, v->context->log);
	log_broken(v);
	layer_list_total(&v->layers, &v->totals);
	if (v->totals.n_broken == 0)
		rc = merge_all(v, e);
	if (rc == 0 && v->totals.n_broken == 0)
		beside_prefetch(v->context, v->image, v->layers.all);
	if (rc == 0)
		rc = make_texts(v, true);
	if (rc < 0)
		drop_tree(v);
	else
		__atomic_store_n(&v->has_tree, true, __ATOMIC_RELEASE);
	return rc;
}

/* THE IMAGE */

/* An artifact has no layers but blobs, which are files and not read before they are used. */
static int load_artifact(struct view *v, struct err *e)
{
	const struct options *o = v->context->options;
	const struct image *img = v->image;
	size_t i;

	if (!v->context->mountpoint || o->layout != LAYOUT_IMAGE || o->erofs)
		return image_must_have_files(img, e);
	for (i = 0; i < img->n_layers; i++) {
		v->totals.content_size = add_sizes(v->totals.content_size,
						   img->layers[i].size);
		/* What is packed in it may have any. */
		if (blob_is_packed(&img->layers[i]))
			v->totals.has_xattrs = v->totals.has_sparse = true;
	}
	v->totals.n_entries = img->n_layers;
	v->has_tree = true;
	return 0;
}

int view_load(struct view *v, struct err *e)
{
	int rc;

	err_set(e, 0, "out of memory");
	rc = find_image(v, e);
	if (rc == 0 && !v->is_entry)
		rc = view_check_platform(v->context, v->image, e);
	if (rc == 0)
		rc = layer_list_find(&v->blobs, v->mount_layers, v->image, layers_seed(v),
				     v->image_source);
	if (rc == 0 && v->image->is_artifact)
		rc = load_artifact(v, e);
	if (rc < 0)
		return rc;
	v->is_stored = v->image->is_artifact || has_all_indexes(v);
	return make_texts(v, false);
}

void view_unload(struct view *v)
{
	drop_tree(v);
	texts_release(&v->texts);
	layer_list_release(&v->layers);
	layer_list_release(&v->blobs);
	image_free(v->image);
	v->image = NULL;
	v->has_tree = v->is_stored = false;
	v->totals = (struct layer_totals){.n_broken = 0};
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

uint64_t view_root_ino(const struct view *v, const struct node *row)
{
	uint64_t seed = node_seed(&v->image->manifest_descriptor.digest);

	if (v->context->options->ino == INO_UNIQUE)
		return view_item_ino(v, row, true);
	return node_ino_end(
		node_ino_add(node_ino_add(0, seed, row->layer), seed, row->entry));
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
