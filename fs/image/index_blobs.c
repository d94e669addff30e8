/* SPDX-License-Identifier: MIT */
#include "fs/image/index_blobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"
#include "base/json.h"
#include "fs/options/log.h"
#include "fs/image/layers.h"
#include "fs/text/oci_layout.h"
#include "registry/image_source.h"

/* Far more platforms than anybody builds for, with attestations; two requests each. */
#define IMAGES_MAX 500
/* More than anybody nests. They stay in memory during the walk, some KiB each. */
#define INDEXES_MAX 50
/* The cookies of a directory have 16 bits for it. */
#define BLOBS_MAX 60000

/* An index inside the index. */
struct inner_index {
	struct digest digest;
	struct buf document;
};

/* While the list is made. */
struct walk {
	struct index_blobs *out;
	const struct image *image; /* the mounted one */
	struct image_source *source, *blobs;
	struct layers *layers;
	struct context *context;
	struct err *err;
	size_t n_images;
	struct inner_index indexes[INDEXES_MAX];
	size_t n_indexes;
};

void index_blobs_init(struct index_blobs *bs)
{
	memset(bs, 0, sizeof(*bs));
	lazy_init(&bs->lazy);
}

void index_blobs_release(struct index_blobs *bs)
{
	free(bs->list);
	bs->list = NULL;
	bs->n_list = 0;
}

/* THE LIST */

/* oci/ has no folder for an algorithm that the mounted image does not use. */
static int add_blob(struct walk *w, const struct digest *d, uint64_t size,
		    enum index_blob_kind kind, struct mount_layer *file)
{
	struct index_blobs *bs = w->out;
	size_t n = bs->n_list;
	int rc;

	if (n == BLOBS_MAX || !oci_layout_uses(w->image, true, d->alg))
		return 0;
	rc = array_grow(&bs->list, n, sizeof(*bs->list));
	if (rc == 0)
		bs->list[bs->n_list++] = (struct index_blob){*d, kind, size, file};
	return rc;
}

/* One with URLs may have to be fetched from there, so its whole descriptor is kept. */
static int add_layer(struct walk *w, const struct descriptor *d)
{
	struct mount_layer *file = NULL;
	int rc = 0;

	if (d->n_urls > 0)
		rc = layers_find(w->layers, d, true, 0, w->blobs, &file);
	return rc < 0 ? rc : add_blob(w, &d->digest, d->size, INDEX_BLOB_LAYER, file);
}

static int add_image(struct walk *w, const struct image *img)
{
	size_t i;
	int rc = add_blob(w, &img->manifest_descriptor.digest, img->manifest.len,
			  INDEX_BLOB_MANIFEST, NULL);

	if (rc == 0)
		rc = add_blob(w, &img->config_descriptor.digest, img->config.len,
			      INDEX_BLOB_CONFIG, NULL);
	for (i = 0; rc == 0 && i < img->n_layers; i++)
		rc = add_layer(w, &img->layers[i]);
	return rc;
}

/* By digest, and documents before layers of the same digest. */
static int compare(const void *a, const void *b)
{
	const struct index_blob *x = a, *y = b;
	int order = memcmp(x->digest.bytes, y->digest.bytes, sizeof(x->digest.bytes));

	return order ? order : (int)x->kind - (int)y->kind;
}

/* Whether the mounted image has it. */
static bool is_own(const struct image *img, const struct digest *d)
{
	size_t i;

	for (i = 0; i < img->n_layers; i++) {
		if (digest_equal(&img->layers[i].digest, d))
			return true;
	}
	return digest_equal(&img->manifest_descriptor.digest, d) ||
	       digest_equal(&img->config_descriptor.digest, d);
}

/* Sorts the list and drops duplicates and the blobs of the mounted image. */
static void sort_list(struct index_blobs *bs, const struct image *img)
{
	size_t i, n = 0;
	void *less;

	if (bs->n_list == 0)
		return;
	qsort(bs->list, bs->n_list, sizeof(*bs->list), compare);
	for (i = 0; i < bs->n_list; i++) {
		if ((n == 0 ||
		     !digest_equal(&bs->list[n - 1].digest, &bs->list[i].digest)) &&
		    !is_own(img, &bs->list[i].digest))
			bs->list[n++] = bs->list[i];
	}
	bs->n_list = n;
	less = realloc(bs->list, (n ? n : 1) * sizeof(*bs->list));
	if (less)
		bs->list = less;
}

/* THE IMAGES */

/* Entry @j, whose media type is borrowed from it. False: it is malformed. */
static bool read_entry(const struct json *j, struct descriptor *d)
{
	const char *digest = json_member_string(j, "digest");
	const char *media = json_member_string(j, "mediaType");
	int64_t size = 0;

	*d = (struct descriptor){.media_type = (char *)(uintptr_t)media};
	if (!digest || !media || !json_member_int(j, "size", &size) || size < 0 ||
	    digest_parse(digest, strlen(digest), &d->digest) < 0)
		return false;
	d->size = (uint64_t)size;
	return true;
}

/* Such an entry is unavailable, untrusted or of an unknown kind: oci/ goes without it. */
static bool is_left_out(int code)
{
	return code == -EACCES || code == -ENOENT || code == -ENOTSUP ||
	       code == -EBADMSG || code == -E2BIG;
}

static int get_image(struct walk *w, const struct descriptor *d)
{
	struct image *img = NULL;
	int rc = image_source_resolve_entry(w->source, d, &img, w->err);

	if (rc < 0)
		return rc;
	w->n_images++;
	rc = add_image(w, img);
	image_free(img);
	return rc;
}

/* Queues each index once; resolve_all() reads its entries. */
static int get_index(struct walk *w, const struct descriptor *d)
{
	struct inner_index new = {.digest = d->digest};
	size_t i;
	int rc;

	for (i = 0; i < w->n_indexes; i++) {
		if (digest_equal(&w->indexes[i].digest, &d->digest))
			return 0;
	}
	if (i == INDEXES_MAX)
		return err_set(w->err, -E2BIG, "there are more than %d indexes",
			       INDEXES_MAX);
	rc = image_source_document(w->source, d, &new.document, w->err);
	if (rc < 0)
		return rc;
	w->indexes[w->n_indexes++] = new;
	return add_blob(w, &d->digest, new.document.len, INDEX_BLOB_MANIFEST, NULL);
}

static int resolve(struct walk *w, const struct descriptor *d)
{
	char digest[DIGEST_TEXT_MAX];
	int rc = descriptor_is_index(d) ? get_index(w, d) : get_image(w, d);

	if (is_left_out(rc)) {
		log_warn(w->context->log, "%s in the index is not in oci/: %s",
			 digest_format(&d->digest, digest), w->err->text);
		rc = 0;
	}
	if (rc == 0 && context_is_cancelled(w->context))
		rc = -EINTR;
	return rc;
}

static int resolve_entries(struct walk *w, const struct buf *document)
{
	struct json *index = NULL;
	const struct json *list;
	struct descriptor d;
	size_t i, n, room = IMAGES_MAX - w->n_images;
	int rc = json_parse(document->data, document->len, &index, w->err);

	if (rc < 0)
		return rc;
	list = json_member(index, "manifests");
	n = json_count(list);
	if (n > room) {
		log_warn(w->context->log,
			 "%zu entries in an index: oci/ has the first %zu", n, room);
		n = room;
	}
	for (i = 0; rc == 0 && i < n; i++) {
		if (read_entry(json_item(list, i), &d) &&
		    !digest_equal(&d.digest, &w->image->manifest_descriptor.digest))
			rc = resolve(w, &d);
	}
	json_free(index);
	return rc;
}

static int resolve_all(struct walk *w)
{
	size_t i;
	int rc = resolve_entries(w, &w->image->index);

	for (i = 0; rc == 0 && i < w->n_indexes; i++) {
		rc = resolve_entries(w, &w->indexes[i].document);
		if (rc == -EBADMSG)
			rc = 0; /* oci/ has it all the same, as a blob */
	}
	for (i = 0; i < w->n_indexes; i++)
		buf_release(&w->indexes[i].document);
	return rc;
}

int index_blobs_fetch(struct index_blobs *bs, const struct image *img,
		      struct image_source *source, struct image_source *blobs,
		      struct layers *ls, struct err *e)
{
	struct walk w = {.out = bs,
			 .image = img,
			 .source = source,
			 .blobs = blobs,
			 .layers = ls,
			 .context = ls->context,
			 .err = e};
	int rc = resolve_all(&w);

	if (rc < 0) {
		index_blobs_release(bs);
		return rc;
	}
	sort_list(bs, img);
	__atomic_store_n(&bs->n, (uint32_t)bs->n_list, __ATOMIC_RELEASE);
	return 0;
}

int index_blobs_file(struct index_blobs *bs, uint32_t i, struct layers *ls,
		     struct image_source *blobs, struct mount_layer **out)
{
	static const char *const media[] = {
		[INDEX_BLOB_MANIFEST] = "application/vnd.oci.image.manifest.v1+json",
		[INDEX_BLOB_CONFIG] = "application/vnd.oci.image.config.v1+json",
		[INDEX_BLOB_LAYER] = "",
	};
	struct index_blob *b = &bs->list[i];
	struct descriptor d = {
		.digest = b->digest,
		.size = b->size,
		.media_type = (char *)(uintptr_t)media[b->kind],
	};
	int rc = 0;

	*out = __atomic_load_n(&b->file, __ATOMIC_ACQUIRE);
	if (*out)
		return 0;
	/* As a file, even if the mount has it as a layer, too: it is not opened. */
	rc = layers_find(ls, &d, true, 0, blobs, out);
	if (rc == 0)
		__atomic_store_n(&b->file, *out, __ATOMIC_RELEASE);
	return rc;
}

uint32_t index_blobs_count(const struct index_blobs *bs)
{
	return __atomic_load_n(&bs->n, __ATOMIC_ACQUIRE);
}
