/* SPDX-License-Identifier: MIT */
/*
 * Documents of the image never change and are cached by the kernel like any file. The
 * status does change: snapshots.h.
 */
#include "fs/node/synthetic.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "fs/image/raw_blobs.h"
#include "fs/text/dockerfile.h"
#include "fs/text/facts.h"
#include "fs/text/history.h"
#include "fs/tree/identity.h"
#include "fs/text/inspect.h"
#include "fs/text/layer_json.h"
#include "fs/image/referrers.h"
#include "fs/image/context.h"
#include "fs/text/oci_layout.h"
#include "fs/options/options.h"
#include "fs/image/index_blobs.h"
#include "fs/image/snapshots.h"
#include "fs/text/titles.h"
#include "fs/node/nodes.h"
#include "tar/layer.h"

/*
 * A text made of documents, each of which is at most DOCUMENT_MAX: quotes, indents and
 * headings make it longer, but what goes far beyond is no honest config.
 */
#define TEXT_MAX (8 * (size_t)DOCUMENT_MAX)

/* HOW MANY THERE ARE OF A ROW */

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

/* Those of another platform are seen beside them: a tree has an end. */
static uint32_t per_platform(const struct view *v)
{
	return v->is_entry ? 0 : (uint32_t)v->image->n_platforms;
}

static uint32_t if_platforms(const struct view *v)
{
	return per_platform(v) > 0;
}

/* Those that refer to a referrer are not told of, either. */
static uint32_t if_referrers(const struct view *v)
{
	return !v->is_referrer && !v->mount->options->client.offline;
}

static uint32_t type_of_referrer(const struct view *v, uint32_t i)
{
	return referrers_get(v, i)->type + 1;
}

static uint32_t if_whole(const struct view *v)
{
	return index_blobs_are_shown(v);
}

/* Only those that are in use are in the directory. */
static uint32_t per_algorithm(const struct view *v)
{
	(void)v;
	return DIGEST_SHA512;
}

static uint32_t per_own(const struct view *v)
{
	return (uint32_t)v->n_own;
}

/* An artifact of one blob may have that as its config, too, and then it is there once. */
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

/* WHAT IS IN ONE */

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

/* What a blob is seen by. */
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

static struct blob other_blob(const struct view *v, uint32_t i)
{
	const struct other *o = index_blobs_get(v, i);

	return (struct blob){&o->digest, o->size};
}

static struct blob file_blob(const struct view *v, uint32_t i)
{
	return described(&v->image->layers[i]);
}

static struct blob referrer_manifest(const struct view *v, uint32_t i)
{
	return described(&referrers_get(v, i)->descriptor);
}

static const struct row {
	/* of a row with a parameter: behind the parameter's own name */
	const char *name;
	enum synthetic_row parent;
	bool is_dir;
	bool is_live;				 /* a snapshot for each lookup */
	uint32_t (*count)(const struct view *v); /* NULL: one, without a parameter */
	/* Of which of its parents it is a child, by parameter; NULL: there is one. */
	uint32_t (*of)(const struct view *v, uint32_t i);
	const struct buf *(*document)(const struct image *img);
	/* Its name is its digest; what is no document either is fetched. */
	struct blob (*blob)(const struct view *v, uint32_t i);
	int (*make)(const struct image_facts *f, struct buf *out);
	/* The same for layer @i, the parameter from 0. */
	int (*make_of_layer)(const struct image_facts *f, uint32_t i, struct buf *out);
} rows[N_ROWS] = {
	[ROW_TOP] = {"", ROW_TOP, .is_dir = true},
	[ROW_ROOTFS] = {"rootfs", ROW_TOP, .is_dir = true, .count = if_image},
	[ROW_FILES] = {"files", ROW_TOP, .is_dir = true, .count = if_artifact},
	[ROW_FILE] = {"", ROW_FILES, .count = per_file, .blob = file_blob},
	[ROW_CONFIG] = {"config.json", ROW_TOP, .document = config_of},
	[ROW_MANIFEST] = {"manifest.json", ROW_TOP, .document = manifest_of},
	[ROW_INDEX] = {"index.json", ROW_TOP, .count = if_index, .document = index_of},
	[ROW_INSPECT] = {"inspect.json", ROW_TOP, .count = if_image,
			 .make = inspect_render},
	[ROW_HISTORY] = {"history", ROW_TOP, .count = if_image, .make = history_render},
	[ROW_DOCKERFILE] = {"Dockerfile", ROW_TOP, .count = if_image,
			    .make = dockerfile_render},
	[ROW_LAYERS] = {"layers", ROW_TOP, .is_dir = true, .count = if_image},
	[ROW_LAYER] = {"", ROW_LAYERS, .is_dir = true, .count = per_layer},
	[ROW_LAYER_JSON] = {".json", ROW_LAYERS, .count = per_layer,
			    .make_of_layer = layer_json_render},
	[ROW_PLATFORMS] = {"platforms", ROW_TOP, .is_dir = true, .count = if_platforms},
	[ROW_PLATFORM] = {"", ROW_PLATFORMS, .is_dir = true, .count = per_platform},
	[ROW_REFERRERS] = {"referrers", ROW_TOP, .is_dir = true, .count = if_referrers},
	[ROW_REFERRER_TYPE] = {"", ROW_REFERRERS, .is_dir = true,
			       .count = referrers_types},
	[ROW_REFERRER] = {"", ROW_REFERRER_TYPE, .is_dir = true, .count = referrers_count,
			  .of = type_of_referrer, .blob = referrer_manifest},
	[ROW_OCI] = {"oci", ROW_TOP, .is_dir = true},
	[ROW_OCI_LAYOUT] = {"oci-layout", ROW_OCI, .make = oci_layout_render},
	[ROW_OCI_INDEX] = {"index.json", ROW_OCI, .make = oci_layout_index},
	[ROW_OCI_BLOBS] = {"blobs", ROW_OCI, .is_dir = true},
	[ROW_OCI_ALGORITHM] = {"", ROW_OCI_BLOBS, .is_dir = true, .count = per_algorithm},
	[ROW_OCI_WHOLE] = {"", ROW_OCI_ALGORITHM, .count = if_whole, .document = index_of,
			   .blob = index_blob},
	[ROW_OCI_MANIFEST] = {"", ROW_OCI_ALGORITHM, .document = manifest_of,
			      .blob = manifest_blob},
	[ROW_OCI_CONFIG] = {"", ROW_OCI_ALGORITHM, .count = if_own_config,
			    .document = config_of, .blob = config_blob},
	[ROW_OCI_LAYER] = {"", ROW_OCI_ALGORITHM, .count = per_own, .blob = layer_blob},
	[ROW_OCI_OTHER] = {"", ROW_OCI_ALGORITHM, .count = index_blobs_count,
			   .blob = other_blob},
	[ROW_PEELFS] = {".peelfs", ROW_TOP, .is_dir = true},
	[ROW_STATUS] = {"status.json", ROW_PEELFS, .is_live = true},
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
		strcpy(name, v->titles[parameter - 1]);
		return;
	}
	if (row == ROW_OCI_ALGORITHM) {
		strcpy(name, digest_alg_name((enum digest_alg)parameter));
		return;
	}
	if (row == ROW_REFERRER_TYPE) {
		strcpy(name, referrers_type(v, parameter - 1));
		return;
	}
	if (rows[row].blob) {
		digest_hex(rows[row].blob(v, parameter - 1).digest, name);
		return;
	}
	if (row == ROW_PLATFORM) {
		strcpy(name, v->platform_names[parameter - 1]);
		return;
	}
	if (rows[row].count == per_layer)
		title_of_layer(v->image, parameter - 1, layer);
	snprintf(name, NAME_MAX + 1, "%s%s", layer, rows[row].name);
}

/* TEXTS */

/* A text that cannot be made so long is there, and reading it is an error. */
static int make_text(const struct image_facts *f, uint32_t row, uint32_t i,
		     struct text *out)
{
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX);
	rc = rows[row].make ? rows[row].make(f, &text)
			    : rows[row].make_of_layer(f, i, &text);
	if (rc == 0) {
		out->len = text.len;
		out->data = buf_take(&text);
	}
	buf_release(&text);
	out->failed = rc;
	return rc == -E2BIG ? 0 : rc;
}

static int make_row(struct view *v, const struct image_facts *f, uint32_t row)
{
	uint32_t i, n = row_count(v, row);
	struct text *texts = calloc(n + 1, sizeof(*texts));
	int rc = 0;

	if (!texts)
		return -ENOMEM;
	v->texts[row] = texts;
	for (i = 0; rc == 0 && i < n; i++)
		rc = make_text(f, row, i, &texts[i]);
	return rc;
}

static void layer_facts(const struct mount_layer *l, struct layer_facts *out)
{
	const struct index_info *info;

	if (l->loaded < 0) {
		out->error = mount_layer_why(l);
		return;
	}
	info = index_info(layer_index(l->layer));
	out->n_entries = info->n_entries;
	out->n_skipped = info->n_skipped;
	out->compressed_size = info->blob_size;
	out->uncompressed_size = info->decoded_size;
	out->files_size = info->content_size;
}

static int make_texts(struct view *v, const struct history *h)
{
	size_t i, n = v->image->is_artifact ? 0 : v->image->n_layers;
	struct layer_facts *layers = calloc(n + 1, sizeof(*layers));
	char *path = NULL;
	struct image_facts f = {.image = v->image,
				.history = h,
				.layers = layers,
				.has_index_blobs = index_blobs_are_shown(v)};
	int rc = layers ? 0 : -ENOMEM;
	uint32_t row;

	if (asprintf(&path, "%s%s", v->mount->mountpoint, v->path) < 0) {
		path = NULL;
		rc = -ENOMEM;
	}
	f.path = path;
	for (i = 0; rc == 0 && i < n; i++)
		layer_facts(v->layers[i], &layers[i]);
	for (row = 0; rc == 0 && row < N_ROWS; row++) {
		if (rows[row].make || rows[row].make_of_layer)
			rc = make_row(v, &f, row);
	}
	free(path);
	free(layers);
	return rc;
}

int synthetic_load(struct view *v)
{
	const struct image *img = v->image;
	struct history h = {0};
	int rc;

	rc = img->is_artifact ? titles_make(img->layers, img->n_layers, &v->titles)
			      : history_init(&h, img);
	if (rc == 0)
		rc = titles_of_platforms(img->platforms, per_platform(v),
					 &v->platform_names);
	v->texts = calloc(N_ROWS, sizeof(*v->texts));
	if (!v->texts)
		rc = -ENOMEM;
	if (rc == 0)
		rc = make_texts(v, &h);
	history_release(&h);
	return rc;
}

void synthetic_release(struct view *v)
{
	uint32_t row, i;

	for (row = 0; v->texts && row < N_ROWS; row++) {
		for (i = 0; v->texts[row] && i < row_count(v, row); i++)
			free(v->texts[row][i].data);
		free(v->texts[row]);
	}
	free(v->texts);
	v->texts = NULL;
	if (v->titles)
		titles_free(v->titles, v->image->n_layers);
	v->titles = NULL;
	if (v->platform_names)
		titles_free(v->platform_names, per_platform(v));
	v->platform_names = NULL;
}

/* NODES */

/* By its place, too: what is told of an image names it, and the index that it is of. */
static uint64_t row_ino(const struct view *v, const struct node *n)
{
	uint64_t seed = node_seed(v->around ? &v->digest
					    : &v->image->manifest_descriptor.digest);
	uint64_t place = identity_path(IDENTITY_ROOT, v->path, strlen(v->path));
	uint64_t sum = node_ino_add(node_ino_add(place, seed, 0), seed, n->layer);

	return node_ino_end(rows[n->layer].count ? node_ino_add(sum, seed, n->entry)
						 : sum);
}

static bool is_row(const struct view *v, const struct node *n)
{
	return n->layer < N_ROWS &&
	       (rows[n->layer].is_live ||
		(n->entry > 0 && n->entry <= row_count(v, n->layer)));
}

/* Of what is_fetched(). */
static int blob_of(struct view *v, const struct node *n, struct mount_layer **out)
{
	if (n->layer == ROW_OCI_OTHER)
		return index_blobs_blob(v, n->entry - 1, out);
	*out = n->layer == ROW_FILE ? v->layers[n->entry - 1] : v->own[n->entry - 1];
	return 0;
}

static bool is_fetched(const struct row *row)
{
	return row->blob && !row->document && !row->is_dir;
}

/* The bytes of a row that is neither fetched, nor live, nor a directory. Borrowed. */
static int row_bytes(struct view *v, const struct node *n, const char **data, size_t *len)
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
	text = &v->texts[n->layer][n->entry - 1];
	*data = text->data;
	*len = text->len;
	return text->failed;
}

static bool is_of_nothing(const struct digest *d)
{
	struct digest none;

	return digest_of(d->alg, "", 0, &none) == 0 && digest_equal(d, &none);
}

/* A manifest may say of a blob that it is empty, which it is not. */
static size_t blob_length(struct blob b)
{
	return b.size > 0 || is_of_nothing(b.digest) ? b.size : 1;
}

/*
 * What cannot be had has one byte, lest it be taken for empty: of an empty file the kernel
 * asks nothing, and so who reads it would be told nothing.
 */
static int row_length(struct view *v, const struct node *n, size_t *len)
{
	const struct row *row = &rows[n->layer];
	const char *data;
	ssize_t rc = 0;

	*len = 0;
	if (row->is_live)
		rc = n->entry ? snapshot_read(v->mount, n->entry, NULL, 0, 0, len) : 0;
	else if (is_fetched(row))
		*len = blob_length(row->blob(v, n->entry - 1));
	else if (!row->is_dir && row_bytes(v, n, &data, len) < 0)
		*len = 1;
	return rc < 0 ? (int)rc : 0;
}

static void fill_attr(const struct view *v, const struct node *n, int64_t time,
		      size_t len, struct item *out)
{
	const struct row *row = &rows[n->layer];
	struct stat *st = &out->attr;

	memset(out, 0, sizeof(*out));
	out->node = n->entry ? node_pack(n) : 0;
	out->is_live = row->is_live;
	st->st_ino = row_ino(v, n);
	st->st_mode = row->is_dir ? S_IFDIR | 0555 : S_IFREG | 0444;
	st->st_nlink = 1;
	st->st_uid = v->mount->uid;
	st->st_gid = v->mount->gid;
	st->st_mtim.tv_sec = time;
	if (row->is_live)
		clock_gettime(CLOCK_REALTIME, &st->st_mtim);
	st->st_atim = st->st_ctim = st->st_mtim;
	st->st_size = (off_t)len;
	st->st_blocks = (blkcnt_t)((len + 511) / 512);
}

void synthetic_top(const struct view *v, struct item *out)
{
	struct node top = {.image = v->number, .layer = ROW_TOP, .entry = 1};

	fill_attr(v, &top, v->created, 0, out);
}

void synthetic_around(const struct view *v, const struct node *n, struct item *out)
{
	fill_attr(v, n, v->created, 0, out);
}

int synthetic_need(struct view *v, const struct node *dir, struct waiter *w)
{
	if (dir->layer == ROW_REFERRERS && if_referrers(v))
		return referrers_need(v, w);
	return dir->layer == ROW_OCI_ALGORITHM && if_whole(v) ? index_blobs_need(v, w)
							      : 0;
}

int synthetic_describe(struct view *v, const struct node *n, struct item *out)
{
	const struct image *img = v->image;
	size_t len;
	int rc;

	if (!is_row(v, n))
		return -ESTALE;
	if (n->layer == ROW_TOP && v->around) {
		synthetic_top(v, out);
		return 0;
	}
	rc = row_length(v, n, &len);
	if (rc == 0)
		fill_attr(v, n, img->has_created ? img->created : 0, len, out);
	return rc;
}

int synthetic_find(struct view *v, const struct node *dir, const char *name,
		   struct node *out)
{
	char here[NAME_MAX + 1];
	uint64_t cookie = 0;

	while (synthetic_next(v, dir, &cookie, here, out)) {
		if (strcmp(here, name) == 0)
			return rows[out->layer].is_live
				       ? snapshot_take(v->mount, v, &out->entry)
				       : 0;
	}
	return -ENOENT;
}

/* Is the row's @parameter in the directory, which is the parent of such rows? */
static bool is_in(const struct view *v, uint32_t row, uint32_t parameter,
		  const struct node *dir)
{
	if (row == ROW_OCI_ALGORITHM)
		return oci_layout_uses(v->image, if_whole(v), (enum digest_alg)parameter);
	if (dir->layer == ROW_OCI_ALGORITHM)
		return rows[row].blob(v, parameter - 1).digest->alg == dir->entry;
	return !rows[row].of || rows[row].of(v, parameter - 1) == dir->entry;
}

/* The next one of a row that is in the directory, after *@parameter. */
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

/* A cookie is the row and the parameter of the name before, and small. */
#define COOKIE_SHIFT 16

bool synthetic_next(struct view *v, const struct node *dir, uint64_t *cookie, char *name,
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
		out->entry = rows[row].is_live ? 0 : parameter;
		row_name(v, out->layer, parameter, name);
		*cookie = row << COOKIE_SHIFT | parameter;
		return true;
	}
	return false;
}

void synthetic_parent(const struct node *n, struct node *out)
{
	*out = *n;
	out->layer = n->layer < N_ROWS ? (uint32_t)rows[n->layer].parent : ROW_TOP;
	out->entry = 1;
}

ssize_t synthetic_read(struct view *v, const struct node *n, void *buf, size_t size,
		       uint64_t off, struct waiter *w)
{
	struct mount_layer *l;
	const char *data;
	size_t len;
	int rc;

	if (!is_row(v, n))
		return -ESTALE;
	if (rows[n->layer].is_dir)
		return -EISDIR;
	if (rows[n->layer].is_live)
		return snapshot_read(v->mount, n->entry, buf, size, off, NULL);
	if (is_fetched(&rows[n->layer])) {
		rc = blob_of(v, n, &l);
		return rc < 0 ? rc : raw_blob_read(v->mount, l, buf, size, off, w);
	}
	if (row_bytes(v, n, &data, &len) < 0)
		return -EIO;
	if (off >= len)
		return 0;
	if (size > len - off)
		size = (size_t)(len - off);
	memcpy(buf, data + off, size);
	return (ssize_t)size;
}
