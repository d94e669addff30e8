/* SPDX-License-Identifier: MIT */
/*
 * Documents of an image never change, so the kernel caches them like any file. The status
 * does change: status.h.
 */
#include "fs/node/rows.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "fs/erofs/image.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/image/layers.h"
#include "fs/options/options.h"
#include "fs/image/status.h"
#include "fs/node/node_ops.h"
#include "fs/text/oci_layout.h"
#include "fs/text/titles.h"

static const struct row {
	/* with a parameter: what follows the parameter's own name */
	const char *name;
	enum row_number parent;
	enum row_kind kind;
	bool has_parameter;    /* there may be none or several: row_count() */
	enum text_kind text;   /* of ROW_IS_BYTES without a document */
	enum row_number early; /* shown in its place while it has no sizes; or 0 */
	bool is_early;
	bool repeats;	 /* what is in it is elsewhere, too, or of other images */
	bool is_by_name; /* not listed: to list what is in it may read all layers */
} rows[N_ROWS] = {
	[ROW_TOP] = {"", ROW_TOP, ROW_IS_DIR},
	[ROW_ROOTFS] = {"rootfs", ROW_TOP, ROW_IS_DIR, true},
	[ROW_EROFS] = {"rootfs.erofs", ROW_TOP, ROW_IS_EROFS, true, .repeats = true},
	[ROW_DIFF_IDS] = {"erofs", ROW_TOP, ROW_IS_DIR, true, .is_by_name = true},
	[ROW_DIFF_SHA256] = {"sha256", ROW_DIFF_IDS, ROW_IS_DIR, true},
	[ROW_DIFF_GROUP] = {"", ROW_DIFF_SHA256, ROW_IS_DIR, true},
	[ROW_DIFF_FILE] = {".erofs", ROW_DIFF_GROUP, ROW_IS_LAYER_FILE, true},
	[ROW_FILES] = {"files", ROW_TOP, ROW_IS_DIR, true},
	[ROW_FILE_DIR] = {"", ROW_FILES, ROW_IS_DIR, true},
	[ROW_FILE] = {"", ROW_FILES, ROW_IS_BLOB, true},
	[ROW_FILE_PACKED] = {"", ROW_FILES, ROW_IS_DIR, true},
	[ROW_CONFIG] = {"config.json", ROW_TOP, ROW_IS_BYTES},
	[ROW_MANIFEST] = {"manifest.json", ROW_TOP, ROW_IS_BYTES},
	[ROW_INDEX] = {"index.json", ROW_TOP, ROW_IS_BYTES, true},
	[ROW_INSPECT] = {"inspect.json", ROW_TOP, ROW_IS_BYTES, true, TEXT_INSPECT,
			 ROW_EARLY_INSPECT},
	[ROW_HISTORY] = {"history", ROW_TOP, ROW_IS_BYTES, true, TEXT_HISTORY,
			 ROW_EARLY_HISTORY},
	[ROW_DOCKERFILE] = {"Dockerfile", ROW_TOP, ROW_IS_BYTES, true, TEXT_DOCKERFILE},
	[ROW_LAYERS] = {"layers", ROW_TOP, ROW_IS_DIR, true, .repeats = true},
	[ROW_LAYER] = {"", ROW_LAYERS, ROW_IS_DIR, true},
	[ROW_LAYER_JSON] = {".json", ROW_LAYERS, ROW_IS_BYTES, true, TEXT_LAYER,
			    ROW_EARLY_LAYER_JSON},
	[ROW_EARLY_INSPECT] = {"", ROW_TOP, ROW_IS_BYTES, true, TEXT_INSPECT,
			       .is_early = true},
	[ROW_EARLY_HISTORY] = {"", ROW_TOP, ROW_IS_BYTES, true, TEXT_HISTORY,
			       .is_early = true},
	[ROW_EARLY_LAYER_JSON] = {"", ROW_LAYERS, ROW_IS_BYTES, true, TEXT_LAYER,
				  .is_early = true},
	[ROW_PLATFORMS] = {"platforms", ROW_TOP, ROW_IS_DIR, true, .repeats = true},
	[ROW_PLATFORM] = {"", ROW_PLATFORMS, ROW_IS_DIR, true},
	[ROW_REFERRERS] = {"referrers", ROW_TOP, ROW_IS_DIR, true, .repeats = true},
	[ROW_REFERRER_TYPE] = {"", ROW_REFERRERS, ROW_IS_DIR, true},
	[ROW_REFERRER] = {"", ROW_REFERRER_TYPE, ROW_IS_DIR, true},
	[ROW_OCI] = {"oci", ROW_TOP, ROW_IS_DIR, .repeats = true},
	[ROW_OCI_LAYOUT] = {"oci-layout", ROW_OCI, ROW_IS_BYTES, .text = TEXT_OCI_LAYOUT},
	[ROW_OCI_INDEX] = {"index.json", ROW_OCI, ROW_IS_BYTES, .text = TEXT_OCI_INDEX},
	[ROW_OCI_BLOBS] = {"blobs", ROW_OCI, ROW_IS_DIR},
	[ROW_OCI_ALGORITHM] = {"", ROW_OCI_BLOBS, ROW_IS_DIR, true},
	[ROW_OCI_WHOLE] = {"", ROW_OCI_ALGORITHM, ROW_IS_BYTES, true},
	[ROW_OCI_MANIFEST] = {"", ROW_OCI_ALGORITHM, ROW_IS_BYTES},
	[ROW_OCI_CONFIG] = {"", ROW_OCI_ALGORITHM, ROW_IS_BYTES, true},
	[ROW_OCI_LAYER] = {"", ROW_OCI_ALGORITHM, ROW_IS_BLOB, true},
	[ROW_OCI_OTHER] = {"", ROW_OCI_ALGORITHM, ROW_IS_BLOB, true},
	[ROW_PEELFS] = {".peelfs", ROW_TOP, ROW_IS_DIR},
	[ROW_STATUS] = {"status.json", ROW_PEELFS, ROW_IS_LIVE},
};

/* The config of an artifact may be one of its blobs, which is then shown once. */
static bool has_own_config(const struct view *v)
{
	size_t i;

	for (i = 0; i < v->blobs.n_own; i++) {
		if (digest_equal(&v->blobs.own[i]->descriptor.digest,
				 &v->image->config_descriptor.digest))
			return false;
	}
	return true;
}

/* How often a row occurs; its parameter counts from 1. */
static size_t row_count(const struct view *v, uint32_t row)
{
	const struct image *img = v->image;

	switch (row) {
	case ROW_ROOTFS:
	case ROW_INSPECT:
	case ROW_HISTORY:
	case ROW_EARLY_INSPECT:
	case ROW_EARLY_HISTORY:
	case ROW_DOCKERFILE:
	case ROW_LAYERS:
		return !img->is_artifact;
	case ROW_EROFS: /* none if a layer is broken */
		return !img->is_artifact && (!view_has_tree(v) || view_merge(v));
	case ROW_DIFF_IDS:
	case ROW_DIFF_SHA256:
		return !img->is_artifact && img->n_layers > 0;
	case ROW_DIFF_GROUP: /* those of its layers: is_missing() */
		return img->is_artifact ? 0 : 256;
	case ROW_DIFF_FILE: /* each once: is_missing() */
		return img->is_artifact ? 0 : img->n_layers;
	case ROW_FILES:
		return img->is_artifact;
	case ROW_LAYER:
	case ROW_LAYER_JSON:
	case ROW_EARLY_LAYER_JSON:
		return img->is_artifact ? 0 : img->n_layers;
	case ROW_FILE_DIR:
		return v->texts.blob_names.n_dirs;
	case ROW_FILE:
	case ROW_FILE_PACKED: /* of some blobs: is_missing() */
		return v->texts.blob_names.n;
	case ROW_INDEX:
		return img->has_index;
	case ROW_PLATFORMS:
		return view_n_platforms(v) > 0;
	case ROW_PLATFORM:
		return view_n_platforms(v);
	case ROW_REFERRERS: /* those of a referrer are not shown */
		return !v->is_referrer && !v->context->options->client.offline;
	case ROW_REFERRER_TYPE:
		return referrers_types(&v->referrers);
	case ROW_REFERRER:
		return referrers_count(&v->referrers);
	case ROW_OCI_ALGORITHM: /* the directory shows those that are in use: is_in() */
		return DIGEST_SHA512;
	case ROW_OCI_WHOLE:
		return view_has_index_blobs(v);
	case ROW_OCI_CONFIG:
		return has_own_config(v);
	case ROW_OCI_LAYER:
		return v->blobs.n_own;
	case ROW_OCI_OTHER:
		return index_blobs_count(&v->index_blobs);
	default:
		return 1;
	}
}

/* What a document has, or NULL: the row is a text. */
static const struct buf *document_of(const struct image *img, uint32_t row)
{
	switch (row) {
	case ROW_CONFIG:
	case ROW_OCI_CONFIG:
		return &img->config;
	case ROW_MANIFEST:
	case ROW_OCI_MANIFEST:
		return &img->manifest;
	case ROW_INDEX:
	case ROW_OCI_WHOLE:
		return &img->index;
	default:
		return NULL;
	}
}

/* The digest of a blob, which is its name unless it has a title, or NULL. @i is from 0. */
static const struct digest *blob_of(const struct view *v, uint32_t row, uint32_t i,
				    uint64_t *size)
{
	const struct descriptor *d;

	switch (row) {
	case ROW_FILE:
		d = &v->image->layers[i];
		break;
	case ROW_REFERRER:
		d = &v->referrers.list[i].descriptor;
		break;
	case ROW_OCI_WHOLE:
		d = &v->image->index_descriptor;
		break;
	case ROW_OCI_MANIFEST:
		d = &v->image->manifest_descriptor;
		break;
	case ROW_OCI_CONFIG:
		d = &v->image->config_descriptor;
		break;
	case ROW_OCI_LAYER:
		d = &v->blobs.own[i]->descriptor;
		break;
	case ROW_OCI_OTHER:
		*size = v->index_blobs.list[i].size;
		return &v->index_blobs.list[i].digest;
	default:
		return NULL;
	}
	*size = d->size;
	return &d->digest;
}

/* @name has NAME_MAX + 1 bytes. */
static void row_name(const struct view *v, uint32_t row, uint32_t parameter, char *name)
{
	char layer[LAYER_TITLE_MAX] = "", hex[DIGEST_TEXT_MAX];
	uint32_t i = parameter - 1;
	const struct digest *digest;
	uint64_t size;

	if (row == ROW_FILE_DIR)
		strcpy(name, v->texts.blob_names.dirs[i].name);
	else if (row == ROW_FILE)
		strcpy(name, v->texts.blob_names.list[i].file);
	else if (row == ROW_FILE_PACKED)
		strcpy(name, v->texts.blob_names.list[i].packed);
	else if (row == ROW_OCI_ALGORITHM)
		strcpy(name, digest_alg_name((enum digest_alg)parameter));
	else if (row == ROW_REFERRER_TYPE)
		strcpy(name, v->referrers.types[i].name);
	else if (row == ROW_DIFF_GROUP)
		snprintf(name, NAME_MAX + 1, "%02x", i);
	else if (row == ROW_DIFF_FILE)
		snprintf(name, NAME_MAX + 1, "%s%s",
			 digest_hex(&v->image->diff_ids[i], hex), rows[row].name);
	else if (row == ROW_PLATFORM)
		strcpy(name, v->texts.platform_names[i]);
	else if ((digest = blob_of(v, row, i, &size)))
		digest_hex(digest, name);
	else {
		if (row == ROW_LAYER || row == ROW_LAYER_JSON)
			title_of_layer(v->image, i, layer);
		snprintf(name, NAME_MAX + 1, "%s%s", layer, rows[row].name);
	}
}

/* NODES */

enum row_kind rows_kind(uint32_t row)
{
	return rows[row].kind;
}

bool rows_need_tree(const struct node *n)
{
	return n->layer < N_ROWS && rows[n->layer].early != 0;
}

/* The first layer in a directory of diff IDs, or n_layers. */
static size_t first_in_group(const struct image *img, uint32_t parameter)
{
	size_t i = 0;

	while (i < img->n_layers && (img->diff_ids[i].alg != DIGEST_SHA256 ||
				     img->diff_ids[i].bytes[0] != parameter - 1))
		i++;
	return i;
}

/* The same layer may be in an image twice. */
static bool is_first_of_its_id(const struct image *img, size_t i)
{
	size_t j = 0;

	while (!digest_equal(&img->diff_ids[j], &img->diff_ids[i]))
		j++;
	return j == i;
}

/* Of rows that occur less often than row_count() says. */
static bool is_missing(const struct view *v, uint32_t row, uint32_t parameter)
{
	const struct image *img = v->image;
	uint32_t i = parameter - 1;

	switch (row) {
	case ROW_FILE_PACKED:
		return !v->texts.blob_names.list[i].packed;
	case ROW_DIFF_GROUP:
		return first_in_group(img, parameter) == img->n_layers;
	case ROW_DIFF_FILE:
		return view_files(v) == VIEW_FILES_NONE ||
		       img->diff_ids[i].alg != DIGEST_SHA256 ||
		       !is_first_of_its_id(img, i);
	default:
		return false;
	}
}

struct mount_layer *rows_layer(const struct view *v, const struct node *n)
{
	return v->layers.all[n->entry - 1];
}

bool rows_has(const struct view *v, const struct node *n)
{
	return n->layer < N_ROWS &&
	       (rows[n->layer].kind == ROW_IS_LIVE ||
		(n->entry > 0 && n->entry <= row_count(v, n->layer) &&
		 !is_missing(v, n->layer, n->entry)));
}

int rows_blob(struct view *v, const struct node *n, struct mount_layer **out)
{
	uint32_t i = n->entry - 1;

	if (n->layer == ROW_OCI_OTHER)
		return index_blobs_file(&v->index_blobs, i, v->mount_layers,
					v->image_source, out);
	*out = n->layer == ROW_FILE ? v->blobs.all[i] : v->blobs.own[i];
	return 0;
}

int rows_bytes(const struct view *v, const struct node *n, const char **data, size_t *len)
{
	const struct buf *doc = document_of(v->image, n->layer);
	enum text_kind kind = rows[n->layer].text;
	const struct text *text;

	if (doc) {
		*data = doc->data;
		*len = doc->len;
		return 0;
	}
	text = rows_need_tree(n) ? v->texts.measured[kind] : v->texts.list[kind];
	text += n->entry - 1;
	*data = text->data;
	*len = text->len;
	return text->failed;
}

static bool is_digest_of_nothing(const struct digest *d)
{
	struct digest none;

	return digest_of(d->alg, "", 0, &none) == 0 && digest_equal(d, &none);
}

/* A manifest may claim that a blob is empty although its digest is another. */
static size_t blob_length(const struct view *v, const struct node *n)
{
	uint64_t size = 0;
	const struct digest *d = blob_of(v, n->layer, n->entry - 1, &size);

	return size > 0 || is_digest_of_nothing(d) ? size : 1;
}

/*
 * An unavailable file reports size 1, because the kernel never reads a file of size 0 and
 * the reader would see end of file instead of EIO.
 */
static size_t bytes_length(const struct view *v, const struct node *n)
{
	const char *data;
	size_t len;

	return rows_bytes(v, n, &data, &len) < 0 ? 1 : len;
}

static void describe_dir(const struct view *v, const struct node *n, int64_t time,
			 struct item *out)
{
	bool has_parameter = rows[n->layer].has_parameter;

	view_item(v, node_pack(n), view_item_ino(v, n, has_parameter), time,
		  S_IFDIR | 0555, 0, out);
}

void rows_describe_around(const struct view *v, const struct node *n, struct item *out)
{
	describe_dir(v, n, v->created, out);
}

static int describe_live(const struct nodes *nodes, const struct view *v,
			 const struct node *n, struct item *out)
{
	uint64_t node = n->entry ? node_pack(n) : 0;
	struct timespec now;
	size_t len = 0;

	if (n->entry && snapshots_read(nodes->snapshots, n->entry, NULL, 0, 0, &len) < 0)
		return -ESTALE;
	now = clock_realtime();
	view_item(v, node, view_item_ino(v, n, false), now.tv_sec, S_IFREG | 0444, len,
		  out);
	out->attr.st_mtim = out->attr.st_atim = out->attr.st_ctim = now;
	out->is_live = true;
	return 0;
}

/* Its size is known once it is made; before, its attributes and its name may change. */
static void describe_erofs(const struct view *v, const struct node *n, int64_t time,
			   struct item *out)
{
	const struct erofs_image *im = view_erofs(v);

	view_item(v, node_pack(n), view_item_ino(v, n, false), time, S_IFREG | 0444,
		  im ? (size_t)erofs_image_size(im) : 0, out);
	out->is_provisional = !im;
	out->is_live = !view_has_tree(v);
}

static void describe_layer_file(const struct view *v, const struct node *n, int64_t time,
				struct item *out)
{
	bool is_made = view_files(v) == VIEW_FILES_MADE;
	const struct mount_layer *l = is_made ? rows_layer(v, n) : NULL;

	view_item(v, node_pack(n), view_item_ino(v, n, true), time, S_IFREG | 0444,
		  l ? (size_t)erofs_image_size(l->file_image) : 0, out);
	out->is_provisional = !l;
	out->is_live = !l;
}

int rows_describe(const struct nodes *nodes, const struct view *v, const struct node *n,
		  struct item *out)
{
	const struct image *img = v->image;
	int64_t time = img->has_created ? img->created : 0;
	const struct row *row;
	size_t len;

	if (!rows_has(v, n))
		return -ESTALE;
	row = &rows[n->layer];
	if (n->layer == ROW_TOP && v->around) {
		view_item_top(v, out);
	} else if (row->kind == ROW_IS_DIR) {
		describe_dir(v, n, time, out);
	} else if (row->kind == ROW_IS_LIVE) {
		return describe_live(nodes, v, n, out);
	} else if (row->kind == ROW_IS_EROFS) {
		describe_erofs(v, n, time, out);
	} else if (row->kind == ROW_IS_LAYER_FILE) {
		describe_layer_file(v, n, time, out);
	} else {
		len = row->kind == ROW_IS_BLOB ? blob_length(v, n) : bytes_length(v, n);
		view_item(v, node_pack(n), view_item_ino(v, n, row->has_parameter), time,
			  S_IFREG | 0444, len, out);
		out->is_live = row->is_early;
	}
	return 0;
}

/* NAMES */

int rows_find(const struct view *v, const struct node *dir, const char *name,
	      struct node *out)
{
	char here[NAME_MAX + 1];
	uint64_t cookie = 0;

	while (rows_next(v, dir, &cookie, here, out)) {
		if (strcmp(here, name) == 0)
			return 0;
	}
	return -ENOENT;
}

/* The directory of a row of files/: the parameter of ROW_FILE_DIR; 0: files/ itself. */
static uint32_t file_dir(const struct view *v, uint32_t row, uint32_t parameter)
{
	const struct blob_names *names = &v->texts.blob_names;

	return row == ROW_FILE_DIR ? names->dirs[parameter - 1].parent
				   : names->list[parameter - 1].dir;
}

/* Whether rows of this kind may be in the directory. */
static bool may_be_in(uint32_t row, const struct node *dir)
{
	return rows[row].parent == dir->layer ||
	       (rows[row].parent == ROW_FILES && dir->layer == ROW_FILE_DIR);
}

bool rows_is_listed(const struct view *v, const struct node *n)
{
	const struct row *r = &rows[n->layer];

	return !r->is_by_name && (!r->repeats || v->context->options->list == LIST_ALL);
}

/* Whether the row with @parameter is in the directory: may_be_in(). */
static bool is_in(const struct view *v, uint32_t row, uint32_t parameter,
		  const struct node *dir)
{
	uint64_t size;

	if (row == ROW_OCI_ALGORITHM)
		return oci_layout_uses(v->image, view_has_index_blobs(v),
				       (enum digest_alg)parameter);
	if (dir->layer == ROW_OCI_ALGORITHM)
		return blob_of(v, row, parameter - 1, &size)->alg == dir->entry;
	if (row == ROW_DIFF_GROUP)
		return !is_missing(v, row, parameter);
	if (row == ROW_DIFF_FILE)
		return !is_missing(v, row, parameter) &&
		       v->image->diff_ids[parameter - 1].bytes[0] == dir->entry - 1;
	if (rows[row].parent == ROW_FILES)
		return !is_missing(v, row, parameter) &&
		       file_dir(v, row, parameter) ==
			       (dir->layer == ROW_FILES ? 0 : dir->entry);
	return row != ROW_REFERRER ||
	       v->referrers.list[parameter - 1].type + 1 == dir->entry;
}

/* Moves *@parameter to the next one of the row in the directory. */
static bool next_of_row(const struct view *v, uint32_t row, const struct node *dir,
			uint32_t *parameter)
{
	size_t n = row_count(v, row);

	while (*parameter < n) {
		if (is_in(v, row, ++*parameter, dir))
			return true;
	}
	return false;
}

/* A cookie is the row and the parameter of the previous name. */
#define COOKIE_SHIFT 16

bool rows_next(const struct view *v, const struct node *dir, uint64_t *cookie, char *name,
	       struct node *out)
{
	uint64_t row = *cookie >> COOKIE_SHIFT;
	uint32_t parameter = (uint32_t)*cookie & ((1u << COOKIE_SHIFT) - 1);

	if (row == ROW_TOP)
		row++; /* the top is in no directory */
	for (; row < N_ROWS; row++, parameter = 0) {
		if (!may_be_in((uint32_t)row, dir) || rows[row].is_early ||
		    !next_of_row(v, (uint32_t)row, dir, &parameter))
			continue;
		*out = *dir;
		out->layer = (uint32_t)row;
		out->entry = rows[row].kind == ROW_IS_LIVE ? 0 : parameter;
		row_name(v, out->layer, parameter, name);
		if (rows[row].early && !view_has_tree(v))
			out->layer = rows[row].early;
		*cookie = row << COOKIE_SHIFT | parameter;
		return true;
	}
	return false;
}

void rows_parent(const struct view *v, const struct node *n, struct node *out)
{
	uint32_t dir;

	*out = *n;
	out->layer = n->layer < N_ROWS ? (uint32_t)rows[n->layer].parent : ROW_TOP;
	out->entry = 1;
	if (n->layer == ROW_DIFF_FILE && rows_has(v, n))
		out->entry = v->image->diff_ids[n->entry - 1].bytes[0] + 1u;
	if (out->layer != ROW_FILES || !rows_has(v, n))
		return;
	dir = file_dir(v, n->layer, n->entry);
	if (dir > 0) {
		out->layer = ROW_FILE_DIR;
		out->entry = dir;
	}
}
