/* SPDX-License-Identifier: MIT */
#include "fs/image/index_blobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "fs/options/log.h"
#include "fs/image/context.h"
#include "fs/text/oci_layout.h"
#include "fs/options/options.h"
#include "registry/image_source.h"

/* Far more than anybody builds for, with an attestation each; two requests for one. */
#define IMAGES_MAX 500
/* More than anybody nests; they stay in memory, some KiB each. */
#define INDEXES_MAX 50
/* What fits the numbers of a list of names; hundreds for each image is much. */
#define BLOBS_MAX 60000

/* An index that another refers to. */
struct inner_index {
	struct digest digest;
	struct buf document;
};

/* While the list is made. */
struct walk {
	struct view *view;
	struct err *err;
	size_t n_images;
	struct inner_index indexes[INDEXES_MAX];
	size_t n_indexes;
};

void index_blobs_init(struct index_blobs *os)
{
	memset(os, 0, sizeof(*os));
	lazy_init(&os->lazy);
}

static void clear(struct index_blobs *os)
{
	free(os->list);
	os->list = NULL;
	os->n_list = 0;
}

void index_blobs_release(struct index_blobs *os)
{
	clear(os);
}

bool index_blobs_are_shown(const struct view *v)
{
	return v->image->has_index && !v->is_entry && !v->mount->options->wants_platform;
}

/* THE LIST */

/* Of a kind of digest that the mounted image does not use there is no folder. */
static int add(struct view *v, const struct digest *d, uint64_t size,
	       enum other_kind kind, struct mount_layer *l)
{
	struct index_blobs *os = &v->index_blobs;
	size_t n = os->n_list;
	void *more;

	if (n == BLOBS_MAX || !oci_layout_uses(v->image, true, d->alg))
		return 0;
	if ((n & (n - 1)) == 0) {
		more = realloc(os->list, (n ? 2 * n : 1) * sizeof(*os->list));
		if (!more)
			return -ENOMEM;
		os->list = more;
	}
	os->list[os->n_list++] = (struct other){*d, kind, size, l};
	return 0;
}

/* What may have to be fetched from elsewhere is known as a whole. */
static int add_layer(struct view *v, const struct descriptor *d)
{
	struct mount_layer *l = NULL;
	int rc = 0;

	if (d->n_urls > 0)
		rc = layers_find(v->mount, d, true, 0, v->image_source, &l);
	return rc < 0 ? rc : add(v, &d->digest, d->size, OTHER_BLOB, l);
}

static int add_image(struct view *v, const struct image *img)
{
	size_t i;
	int rc = add(v, &img->manifest_descriptor.digest, img->manifest.len,
		     OTHER_MANIFEST, NULL);

	if (rc == 0)
		rc = add(v, &img->config_descriptor.digest, img->config.len, OTHER_CONFIG,
			 NULL);
	for (i = 0; rc == 0 && i < img->n_layers; i++)
		rc = add_layer(v, &img->layers[i]);
	return rc;
}

/* By digest; of one digest documents first. */
static int compare(const void *a, const void *b)
{
	const struct other *x = a, *y = b;
	int order = memcmp(x->digest.bytes, y->digest.bytes, sizeof(x->digest.bytes));

	return order ? order : (int)x->kind - (int)y->kind;
}

/* The mounted image has it. */
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

/* Each blob once, and none that is there anyway. */
static void tidy(struct view *v)
{
	struct index_blobs *os = &v->index_blobs;
	size_t i, n = 0;
	void *less;

	if (os->n_list == 0)
		return;
	qsort(os->list, os->n_list, sizeof(*os->list), compare);
	for (i = 0; i < os->n_list; i++) {
		if ((n == 0 ||
		     !digest_equal(&os->list[n - 1].digest, &os->list[i].digest)) &&
		    !is_own(v->image, &os->list[i].digest))
			os->list[n++] = os->list[i];
	}
	os->n_list = n;
	less = realloc(os->list, (n ? n : 1) * sizeof(*os->list));
	if (less)
		os->list = less;
}

/* THE IMAGES */

/* What the index says of entry @j; @media is lent by it. False: of no use. */
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

/* An entry of another kind, or one that is gone, is left out of oci/, and named. */
static bool is_left_out(int code)
{
	return code == -ENOENT || code == -ENOTSUP || code == -EBADMSG || code == -E2BIG;
}

static int get_image(struct walk *w, const struct descriptor *d)
{
	struct image *img = NULL;
	int rc = view_resolve(w->view, d, &img, w->err);

	if (rc < 0)
		return rc;
	w->n_images++;
	rc = add_image(w->view, img);
	image_free(img);
	return rc;
}

/* Each once: what is in it is looked at when its turn comes. */
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
	rc = view_document(w->view, d, &new.document, w->err);
	if (rc < 0)
		return rc;
	w->indexes[w->n_indexes++] = new;
	return add(w->view, &d->digest, new.document.len, OTHER_MANIFEST, NULL);
}

static int resolve(struct walk *w, const struct descriptor *d)
{
	struct mount *m = w->view->mount;
	char digest[DIGEST_TEXT_MAX];
	int rc = descriptor_is_index(d) ? get_index(w, d) : get_image(w, d);

	if (is_left_out(rc)) {
		log_warn(m->log, "%s in the index is not in oci/: %s",
			 digest_format(&d->digest, digest), w->err->text);
		rc = 0;
	}
	if (rc == 0 && __atomic_load_n(&m->cancelled, __ATOMIC_SEQ_CST))
		rc = -EINTR;
	return rc;
}

static int resolve_entries(struct walk *w, const struct buf *document)
{
	struct view *v = w->view;
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
		log_warn(v->mount->log, "%zu entries in an index: oci/ has the first %zu",
			 n, room);
		n = room;
	}
	for (i = 0; rc == 0 && i < n; i++) {
		if (read_entry(json_item(list, i), &d) &&
		    !digest_equal(&d.digest, &v->image->manifest_descriptor.digest))
			rc = resolve(w, &d);
	}
	json_free(index);
	return rc;
}

static int resolve_all(struct walk *w)
{
	size_t i;
	int rc = resolve_entries(w, &w->view->image->index);

	for (i = 0; rc == 0 && i < w->n_indexes; i++) {
		rc = resolve_entries(w, &w->indexes[i].document);
		if (rc == -EBADMSG)
			rc = 0; /* its bytes are what they are, and lead nowhere */
	}
	for (i = 0; i < w->n_indexes; i++)
		buf_release(&w->indexes[i].document);
	return rc;
}

static int make(struct view *v)
{
	struct index_blobs *os = &v->index_blobs;
	struct err e = {"out of memory"};
	struct walk w = {.view = v, .err = &e};
	int rc = resolve_all(&w);

	if (rc < 0) {
		clear(os);
		err_prefix(&e, rc, "the other images of %s", v->image->name);
		return mount_failed(v->mount, NULL, rc, e.text);
	}
	tidy(v);
	__atomic_store_n(&os->n, (uint32_t)os->n_list, __ATOMIC_RELEASE);
	return 0;
}

int index_blobs_blob(struct view *v, uint32_t i, struct mount_layer **out)
{
	static const char *const media[] = {
		[OTHER_MANIFEST] = "application/vnd.oci.image.manifest.v1+json",
		[OTHER_CONFIG] = "application/vnd.oci.image.config.v1+json",
		[OTHER_BLOB] = "",
	};
	struct other *o = &v->index_blobs.list[i];
	struct descriptor d = {
		.digest = o->digest,
		.size = o->size,
		.media_type = (char *)(uintptr_t)media[o->kind],
	};
	int rc = 0;

	*out = __atomic_load_n(&o->layer, __ATOMIC_ACQUIRE);
	if (*out)
		return 0;
	/* As a file: it is not opened as a layer, whatever it may be elsewhere. */
	rc = layers_find(v->mount, &d, true, 0, v->image_source, out);
	if (rc == 0)
		__atomic_store_n(&o->layer, *out, __ATOMIC_RELEASE);
	return rc;
}

int index_blobs_need(struct view *v, struct waiter *w)
{
	return view_ask(v, &v->mount->index_blobs, &v->index_blobs.lazy, make, w);
}

uint32_t index_blobs_count(const struct view *v)
{
	return __atomic_load_n(&v->index_blobs.n, __ATOMIC_ACQUIRE);
}

const struct other *index_blobs_get(const struct view *v, uint32_t i)
{
	return &v->index_blobs.list[i];
}
