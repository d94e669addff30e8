/* SPDX-License-Identifier: MIT */
#include "fs/others.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "fs/log.h"
#include "fs/mount.h"
#include "fs/ocilayout.h"
#include "fs/options.h"
#include "registry/origin.h"

/* Far more than anybody builds for, with an attestation each; two requests for one. */
#define IMAGES_MAX 500
/* More than anybody nests; they stay in memory, some KiB each. */
#define INDEXES_MAX 50
/* What fits the numbers of a list of names; hundreds for each image is much. */
#define BLOBS_MAX 60000

void others_init(struct others *os)
{
	memset(os, 0, sizeof(*os));
	hold_init(&os->hold);
}

static void clear(struct others *os)
{
	size_t i;

	for (i = 0; i < os->n_images; i++)
		image_free(os->images[i]);
	for (i = 0; i < os->n_indexes; i++)
		buf_release(&os->indexes[i].document);
	free(os->images);
	free(os->indexes);
	free(os->list);
	os->images = NULL;
	os->indexes = NULL;
	os->list = NULL;
	os->n_images = os->n_indexes = os->n_list = 0;
}

void others_release(struct others *os)
{
	clear(os);
}

bool others_are_shown(const struct view *v)
{
	return v->image->has_index && !v->is_entry && !v->mount->options->wants_platform;
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

static int get_image(struct view *v, const struct descriptor *d, struct others *os,
		     struct err *e)
{
	struct image *img = NULL;
	int r = view_resolve(v, d, &img, e);

	if (r == 0)
		os->images[os->n_images++] = img;
	return r;
}

/* Each once: what is in it is looked at when its turn comes. */
static int get_index(struct view *v, const struct descriptor *d, struct others *os,
		     struct err *e)
{
	struct inner_index new = {.descriptor = {.digest = d->digest, .size = d->size}};
	size_t i;
	int r;

	for (i = 0; i < os->n_indexes; i++) {
		if (digest_equal(&os->indexes[i].descriptor.digest, &d->digest))
			return 0;
	}
	if (i == INDEXES_MAX)
		return err_set(e, -E2BIG, "it has more than %d indexes", INDEXES_MAX);
	r = view_document(v, d, &new.document, e);
	if (r == 0)
		os->indexes[os->n_indexes++] = new;
	return r;
}

static int resolve(struct view *v, const struct descriptor *d, struct others *os,
		   struct err *e)
{
	char digest[DIGEST_TEXT_MAX];
	int r = descriptor_is_index(d) ? get_index(v, d, os, e) : get_image(v, d, os, e);

	if (is_left_out(r)) {
		log_warn(v->mount->log, "%s in the index is not in oci/: %s",
			 digest_format(&d->digest, digest), e->text);
		r = 0;
	}
	if (r == 0 && __atomic_load_n(&v->mount->cancelled, __ATOMIC_SEQ_CST))
		r = -EINTR;
	return r;
}

static int resolve_entries(struct view *v, const struct buf *document, struct others *os,
			   struct err *e)
{
	struct json *index = NULL;
	const struct json *list;
	struct descriptor d;
	size_t i, n, room = IMAGES_MAX - os->n_images;
	int r = json_parse(document->data, document->len, &index, e);

	if (r < 0)
		return r;
	list = json_member(index, "manifests");
	n = json_count(list);
	if (n > room) {
		log_warn(v->mount->log, "%zu entries in an index: oci/ has the first %zu",
			 n, room);
		n = room;
	}
	for (i = 0; r == 0 && i < n; i++) {
		if (read_entry(json_item(list, i), &d) &&
		    !digest_equal(&d.digest, &v->image->manifest_descriptor.digest))
			r = resolve(v, &d, os, e);
	}
	json_free(index);
	return r;
}

static int resolve_all(struct view *v, struct others *os, struct err *e)
{
	size_t i;
	int r;

	os->images = calloc(IMAGES_MAX, sizeof(struct image *));
	os->indexes = calloc(INDEXES_MAX, sizeof(*os->indexes));
	if (!os->images || !os->indexes)
		return -ENOMEM;
	r = resolve_entries(v, &v->image->index, os, e);
	for (i = 0; r == 0 && i < os->n_indexes; i++) {
		r = resolve_entries(v, &os->indexes[i].document, os, e);
		if (r == -EBADMSG)
			r = 0; /* its bytes are what they are, and lead nowhere */
	}
	return r;
}

/* THEIR BLOBS */

/* Of a kind of digest that the mounted image does not use there is no folder. */
static void add(struct view *v, size_t room, const struct other *o)
{
	struct others *os = &v->others;

	if (os->n_list < room && ocilayout_uses(v, o->descriptor->digest.alg))
		os->list[os->n_list++] = *o;
}

static int add_image(struct view *v, size_t room, struct image *img, bool is_own)
{
	struct other manifest = {&img->manifest_descriptor, &img->manifest, NULL, is_own};
	struct other config = {&img->config_descriptor, &img->config, NULL, is_own};
	struct mount_layer *l;
	size_t i;
	int r = 0;

	add(v, room, &manifest);
	add(v, room, &config);
	for (i = 0; r == 0 && i < img->n_layers; i++) {
		/* As a file: it is not opened as a layer, whatever it may be elsewhere. */
		r = layers_find(v->mount, &img->layers[i], true, 0, v->origin, &l);
		if (r == 0)
			add(v, room, &(struct other){&l->descriptor, NULL, l, is_own});
	}
	return r;
}

/* By digest; of one digest those of the mounted image first, then documents. */
static int compare(const void *a, const void *b)
{
	const struct other *x = a, *y = b;
	int order = memcmp(x->descriptor->digest.bytes, y->descriptor->digest.bytes,
			   sizeof(x->descriptor->digest.bytes));

	if (order)
		return order;
	if (x->is_own != y->is_own)
		return x->is_own ? -1 : 1;
	return !x->document - !y->document;
}

/* Each blob once, and none that is there anyway. */
static int list_blobs(struct view *v, struct others *os)
{
	size_t i, n = 0, room = 2 + v->image->n_layers;
	const struct other *last = NULL;
	int r;

	for (i = 0; i < os->n_images; i++)
		room += 2 + os->images[i]->n_layers;
	room += os->n_indexes;
	os->list = calloc(room, sizeof(*os->list));
	if (!os->list)
		return -ENOMEM;
	r = add_image(v, room, v->image, true);
	for (i = 0; r == 0 && i < os->n_images; i++)
		r = add_image(v, room, os->images[i], false);
	if (r < 0)
		return r;
	for (i = 0; i < os->n_indexes; i++)
		add(v, room,
		    &(struct other){&os->indexes[i].descriptor, &os->indexes[i].document,
				    NULL, false});
	qsort(os->list, os->n_list, sizeof(*os->list), compare);
	for (i = 0; i < os->n_list && n < BLOBS_MAX; i++) {
		struct other *o = &os->list[i];

		if (last &&
		    digest_equal(&last->descriptor->digest, &o->descriptor->digest))
			continue;
		last = o;
		if (!o->is_own)
			os->list[n++] = *o;
	}
	os->n_list = n;
	return 0;
}

static int make(struct view *v)
{
	struct others *os = &v->others;
	struct err e = {"out of memory"};
	int r = resolve_all(v, os, &e);

	if (r == 0)
		r = list_blobs(v, os);
	if (r < 0) {
		clear(os);
		err_prefix(&e, r, "the other images of %s", v->image->name);
		return mount_failed(v->mount, NULL, r, e.text);
	}
	__atomic_store_n(&os->n, (uint32_t)os->n_list, __ATOMIC_RELEASE);
	return 0;
}

int others_need(struct view *v, struct waiter *w)
{
	return view_ask(v, &v->mount->others, &v->others.hold, make, w);
}

uint32_t others_count(const struct view *v)
{
	return __atomic_load_n(&v->others.n, __ATOMIC_ACQUIRE);
}

const struct other *others_get(const struct view *v, uint32_t i)
{
	return &v->others.list[i];
}
