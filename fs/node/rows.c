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
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/image/layers.h"
#include "fs/options/options.h"
#include "fs/image/status.h"
#include "fs/node/node_ops.h"
#include "fs/text/oci_layout.h"
#include "fs/text/titles.h"

/* HOW OFTEN A ROW OCCURS */

static uint32_t if_index(const struct view *v)
{
	return v->image->has_index;
}

static uint32_t if_image(const struct view *v)
{
	return !v->image->is_artifact;
}

static uint32_t if_artifact(const struct view *v)
{
	return v->image->is_artifact;
}

static uint32_t per_layer(const struct view *v)
{
	return if_image(v) ? (uint32_t)v->image->n_layers : 0;
}

static uint32_t per_file(const struct view *v)
{
	return if_artifact(v) ? (uint32_t)v->image->n_layers : 0;
}

static uint32_t per_platform(const struct view *v)
{
	return (uint32_t)view_n_platforms(v);
}

static uint32_t if_platforms(const struct view *v)
{
	return per_platform(v) > 0;
}

/* Referrers of a referrer are not shown. */
static uint32_t if_referrers(const struct view *v)
{
	return !v->is_referrer && !v->context->options->client.offline;
}

static uint32_t type_of_referrer(const struct view *v, uint32_t i)
{
	return referrers_get(&v->referrers, i)->type + 1;
}

static uint32_t if_whole(const struct view *v)
{
	return view_has_index_blobs(v);
}

/* The directory shows those that are in use: is_in(). */
static uint32_t per_algorithm(const struct view *v)
{
	(void)v;
	return DIGEST_SHA512;
}

static uint32_t per_own(const struct view *v)
{
	return (uint32_t)v->n_own;
}

/* The config of an artifact may be one of its blobs, which is then shown once. */
static uint32_t if_own_config(const struct view *v)
{
	size_t i;

	for (i = 0; i < v->n_own; i++) {
		if (digest_equal(&v->own[i]->descriptor.digest,
				 &v->image->config_descriptor.digest))
			return 0;
	}
	return 1;
}

static uint32_t per_type(const struct view *v)
{
	return referrers_types(&v->referrers);
}

static uint32_t per_referrer(const struct view *v)
{
	return referrers_count(&v->referrers);
}

static uint32_t per_index_blob(const struct view *v)
{
	return index_blobs_count(&v->index_blobs);
}

/* WHAT IS IN A ROW */

static const struct buf *config_of(const struct image *img)
{
	return &img->config;
}

static const struct buf *manifest_of(const struct image *img)
{
	return &img->manifest;
}

static const struct buf *index_of(const struct image *img)
{
	return &img->index;
}

/* What is known of a blob before it is fetched. */
struct blob {
	const struct digest *digest;
	uint64_t size;
};

static struct blob described(const struct descriptor *d)
{
	return (struct blob){&d->digest, d->size};
}

static struct blob manifest_blob(const struct view *v, uint32_t i)
{
	(void)i;
	return described(&v->image->manifest_descriptor);
}

static struct blob index_blob(const struct view *v, uint32_t i)
{
	(void)i;
	return described(&v->image->index_descriptor);
}

static struct blob config_blob(const struct view *v, uint32_t i)
{
	(void)i;
	return described(&v->image->config_descriptor);
}

static struct blob layer_blob(const struct view *v, uint32_t i)
{
	return described(&v->own[i]->descriptor);
}

static struct blob blob_of_index(const struct view *v, uint32_t i)
{
	const struct index_blob *b = index_blobs_get(&v->index_blobs, i);

	return (struct blob){&b->digest, b->size};
}

static struct blob file_blob(const struct view *v, uint32_t i)
{
	return described(&v->image->layers[i]);
}

static struct blob referrer_manifest(const struct view *v, uint32_t i)
{
	return described(&referrers_get(&v->referrers, i)->descriptor);
}

static const struct row {
	/* with a parameter: what follows the parameter's own name */
	const char *name;
	enum row_number parent;
	enum row_kind kind;
	uint32_t (*count)(const struct view *v); /* NULL: one, without a parameter */
	/* The parameter of its parent; NULL: there is one parent. */
	uint32_t (*of)(const struct view *v, uint32_t i);
	/* Of ROW_IS_BYTES; NULL: a text. */
	const struct buf *(*document)(const struct image *img);
	enum text_kind text;
	/* Its name is its digest, unless it has a title. @i counts from 0. */
	struct blob (*blob)(const struct view *v, uint32_t i);
} rows[N_ROWS] = {
	[ROW_TOP] = {"", ROW_TOP, ROW_IS_DIR},
	[ROW_ROOTFS] = {"rootfs", ROW_TOP, ROW_IS_DIR, .count = if_image},
	[ROW_FILES] = {"files", ROW_TOP, ROW_IS_DIR, .count = if_artifact},
	[ROW_FILE] = {"", ROW_FILES, ROW_IS_BLOB, .count = per_file, .blob = file_blob},
	[ROW_CONFIG] = {"config.json", ROW_TOP, ROW_IS_BYTES, .document = config_of},
	[ROW_MANIFEST] = {"manifest.json", ROW_TOP, ROW_IS_BYTES,
			  .document = manifest_of},
	[ROW_INDEX] = {"index.json", ROW_TOP, ROW_IS_BYTES, .count = if_index,
		       .document = index_of},
	[ROW_INSPECT] = {"inspect.json", ROW_TOP, ROW_IS_BYTES, .count = if_image,
			 .text = TEXT_INSPECT},
	[ROW_HISTORY] = {"history", ROW_TOP, ROW_IS_BYTES, .count = if_image,
			 .text = TEXT_HISTORY},
	[ROW_DOCKERFILE] = {"Dockerfile", ROW_TOP, ROW_IS_BYTES, .count = if_image,
			    .text = TEXT_DOCKERFILE},
	[ROW_LAYERS] = {"layers", ROW_TOP, ROW_IS_DIR, .count = if_image},
	[ROW_LAYER] = {"", ROW_LAYERS, ROW_IS_DIR, .count = per_layer},
	[ROW_LAYER_JSON] = {".json", ROW_LAYERS, ROW_IS_BYTES, .count = per_layer,
			    .text = TEXT_LAYER},
	[ROW_PLATFORMS] = {"platforms", ROW_TOP, ROW_IS_DIR, .count = if_platforms},
	[ROW_PLATFORM] = {"", ROW_PLATFORMS, ROW_IS_DIR, .count = per_platform},
	[ROW_REFERRERS] = {"referrers", ROW_TOP, ROW_IS_DIR, .count = if_referrers},
	[ROW_REFERRER_TYPE] = {"", ROW_REFERRERS, ROW_IS_DIR, .count = per_type},
	[ROW_REFERRER] = {"", ROW_REFERRER_TYPE, ROW_IS_DIR, .count = per_referrer,
			  .of = type_of_referrer, .blob = referrer_manifest},
	[ROW_OCI] = {"oci", ROW_TOP, ROW_IS_DIR},
	[ROW_OCI_LAYOUT] = {"oci-layout", ROW_OCI, ROW_IS_BYTES, .text = TEXT_OCI_LAYOUT},
	[ROW_OCI_INDEX] = {"index.json", ROW_OCI, ROW_IS_BYTES, .text = TEXT_OCI_INDEX},
	[ROW_OCI_BLOBS] = {"blobs", ROW_OCI, ROW_IS_DIR},
	[ROW_OCI_ALGORITHM] = {"", ROW_OCI_BLOBS, ROW_IS_DIR, .count = per_algorithm},
	[ROW_OCI_WHOLE] = {"", ROW_OCI_ALGORITHM, ROW_IS_BYTES, .count = if_whole,
			   .document = index_of, .blob = index_blob},
	[ROW_OCI_MANIFEST] = {"", ROW_OCI_ALGORITHM, ROW_IS_BYTES,
			      .document = manifest_of, .blob = manifest_blob},
	[ROW_OCI_CONFIG] = {"", ROW_OCI_ALGORITHM, ROW_IS_BYTES, .count = if_own_config,
			    .document = config_of, .blob = config_blob},
	[ROW_OCI_LAYER] = {"", ROW_OCI_ALGORITHM, ROW_IS_BLOB, .count = per_own,
			   .blob = layer_blob},
	[ROW_OCI_OTHER] = {"", ROW_OCI_ALGORITHM, ROW_IS_BLOB, .count = per_index_blob,
			   .blob = blob_of_index},
	[ROW_PEELFS] = {".peelfs", ROW_TOP, ROW_IS_DIR},
	[ROW_STATUS] = {"status.json", ROW_PEELFS, ROW_IS_LIVE},
};

static uint32_t row_count(const struct view *v, uint32_t row)
{
	return rows[row].count ? rows[row].count(v) : 1;
}

/* @name has NAME_MAX + 1 bytes. */
static void row_name(const struct view *v, uint32_t row, uint32_t parameter, char *name)
{
	char layer[LAYER_TITLE_MAX] = "";

	if (row == ROW_FILE) {
		strcpy(name, v->texts.titles[parameter - 1]);
		return;
	}
	if (row == ROW_OCI_ALGORITHM) {
		strcpy(name, digest_alg_name((enum digest_alg)parameter));
		return;
	}
	if (row == ROW_REFERRER_TYPE) {
		strcpy(name, referrers_type(&v->referrers, parameter - 1));
		return;
	}
	if (rows[row].blob) {
		digest_hex(rows[row].blob(v, parameter - 1).digest, name);
		return;
	}
	if (row == ROW_PLATFORM) {
		strcpy(name, v->texts.platform_names[parameter - 1]);
		return;
	}
	if (rows[row].count == per_layer)
		title_of_layer(v->image, parameter - 1, layer);
	snprintf(name, NAME_MAX + 1, "%s%s", layer, rows[row].name);
}

/* NODES */

enum row_kind rows_kind(uint32_t row)
{
	return rows[row].kind;
}

bool rows_has(const struct view *v, const struct node *n)
{
	return n->layer < N_ROWS &&
	       (rows[n->layer].kind == ROW_IS_LIVE ||
		(n->entry > 0 && n->entry <= row_count(v, n->layer)));
}

int rows_blob(struct view *v, const struct node *n, struct mount_layer **out)
{
	uint32_t i = n->entry - 1;

	if (n->layer == ROW_OCI_OTHER)
		return index_blobs_file(&v->index_blobs, i, v->mount_layers,
					v->image_source, out);
	*out = n->layer == ROW_FILE ? v->layers[i] : v->own[i];
	return 0;
}

int rows_bytes(const struct view *v, const struct node *n, const char **data, size_t *len)
{
	const struct row *row = &rows[n->layer];
	const struct text *text;
	const struct buf *doc;

	if (row->document) {
		doc = row->document(v->image);
		*data = doc->data;
		*len = doc->len;
		return 0;
	}
	text = &v->texts.list[row->text][n->entry - 1];
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
static size_t blob_length(struct blob b)
{
	return b.size > 0 || is_digest_of_nothing(b.digest) ? b.size : 1;
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
	bool has_parameter = rows[n->layer].count != NULL;

	view_item_dir(v, node_pack(n), view_item_ino(v, n, has_parameter), time, out);
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
	view_item_file(v, node, view_item_ino(v, n, false), now.tv_sec, len, out);
	out->attr.st_mtim = out->attr.st_atim = out->attr.st_ctim = now;
	out->is_live = true;
	return 0;
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
	} else {
		len = row->kind == ROW_IS_BLOB ? blob_length(row->blob(v, n->entry - 1))
					       : bytes_length(v, n);
		view_item_file(v, node_pack(n), view_item_ino(v, n, row->count != NULL),
			       time, len, out);
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

/* Whether the row with @parameter is in the directory, which is a parent of such rows. */
static bool is_in(const struct view *v, uint32_t row, uint32_t parameter,
		  const struct node *dir)
{
	if (row == ROW_OCI_ALGORITHM)
		return oci_layout_uses(v->image, if_whole(v), (enum digest_alg)parameter);
	if (dir->layer == ROW_OCI_ALGORITHM)
		return rows[row].blob(v, parameter - 1).digest->alg == dir->entry;
	return !rows[row].of || rows[row].of(v, parameter - 1) == dir->entry;
}

/* Moves *@parameter to the next one of the row in the directory. */
static bool next_of_row(const struct view *v, uint32_t row, const struct node *dir,
			uint32_t *parameter)
{
	uint32_t n = row_count(v, row);

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
		if (rows[row].parent != dir->layer ||
		    !next_of_row(v, (uint32_t)row, dir, &parameter))
			continue;
		*out = *dir;
		out->layer = (uint32_t)row;
		out->entry = rows[row].kind == ROW_IS_LIVE ? 0 : parameter;
		row_name(v, out->layer, parameter, name);
		*cookie = row << COOKIE_SHIFT | parameter;
		return true;
	}
	return false;
}

void rows_parent(const struct node *n, struct node *out)
{
	*out = *n;
	out->layer = n->layer < N_ROWS ? (uint32_t)rows[n->layer].parent : ROW_TOP;
	out->entry = 1;
}
