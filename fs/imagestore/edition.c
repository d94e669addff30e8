/* SPDX-License-Identifier: MIT */
#include "fs/imagestore/edition.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonwrite.h"
#include "fs/imagestore/catalog.h"

/* Each list. An image takes 1 KiB, a layer half of one: enough for 100,000 images. */
#define LIST_MAX (256u << 20)

/* Go reads years of four digits. */
#define TIME_MAX INT64_C(253402300799)

static void write_time(struct jsonwrite *w, int64_t seconds)
{
	time_t t = seconds < 0 || seconds > TIME_MAX ? 0 : (time_t)seconds;
	char text[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	jsonwrite_member(w, "created", text);
}

/* LAYERS */

static void write_layer(struct jsonwrite *w, const struct stored_layer *l)
{
	char digest[DIGEST_TEXT_MAX];

	jsonwrite_open(w, '{');
	jsonwrite_member(w, "id", l->id);
	if (l->parent)
		jsonwrite_member(w, "parent", l->parent->id);
	write_time(w, l->created);
	jsonwrite_member(w, "compressed-diff-digest", digest_format(&l->blob, digest));
	jsonwrite_member_number(w, "compressed-size", (int64_t)l->blob_size);
	jsonwrite_member(w, "diff-digest", digest_format(&l->diff_id, digest));
	jsonwrite_member_number(w, "diff-size",
				(int64_t)(l->size ? l->size : l->blob_size));
	jsonwrite_member_number(w, "compression", l->compression);
	jsonwrite_close(w, '}');
}

/* Each layer once, its parent before it. @is_written: one for each number. */
static int write_layers(struct edition *ed, const struct edition_image *list, size_t n,
			bool *is_written)
{
	struct jsonwrite w;
	size_t i, k;

	jsonwrite_init(&w, &ed->layers);
	jsonwrite_open(&w, '[');
	for (i = 0; i < n; i++) {
		const struct stored_image *im = list[i].image;

		for (k = 0; k < im->n_layers; k++) {
			const struct stored_layer *l = im->layers[k];

			if (!is_written[l->number])
				write_layer(&w, l);
			is_written[l->number] = true;
		}
	}
	jsonwrite_close(&w, ']');
	return jsonwrite_finish(&w);
}

/* IMAGES */

static bool has_name(const struct edition_image *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->n_names; i++) {
		if (strcmp(l->names[i], name) == 0)
			return true;
	}
	return false;
}

/* Two images with one name would make the whole list useless. */
static bool is_taken(const struct edition_image *list, size_t i, size_t k)
{
	const char *name = list[i].names[k];
	size_t j;

	for (j = 0; j < k; j++) {
		if (strcmp(list[i].names[j], name) == 0)
			return true;
	}
	for (j = 0; j < i; j++) {
		if (has_name(&list[j], name))
			return true;
	}
	return false;
}

static bool is_first(const struct edition_image *list, size_t i)
{
	size_t j;

	for (j = 0; j < i; j++) {
		if (list[j].image == list[i].image)
			return false;
	}
	return true;
}

/* The names of list[@at], and of later entries of the same image. */
static void write_names(struct jsonwrite *w, const struct edition_image *list, size_t n,
			size_t at)
{
	size_t i, k;

	jsonwrite_key(w, "names");
	jsonwrite_open(w, '[');
	for (i = at; i < n; i++) {
		for (k = 0; k < list[i].n_names && list[i].image == list[at].image; k++) {
			if (!is_taken(list, i, k))
				jsonwrite_text(w, list[i].names[k]);
		}
	}
	jsonwrite_close(w, ']');
}

/* The documents that fs/node/stored.c shows. */
static void write_documents(struct jsonwrite *w, const struct stored_image *im)
{
	char manifest[DIGEST_TEXT_MAX], config[DIGEST_TEXT_MAX];
	char by_digest[sizeof("manifest-") + DIGEST_TEXT_MAX];

	digest_format(&im->manifest, manifest);
	digest_format(&im->config, config);
	snprintf(by_digest, sizeof(by_digest), "manifest-%s", manifest);
	jsonwrite_key(w, "big-data-names");
	jsonwrite_open(w, '[');
	jsonwrite_text(w, "manifest");
	jsonwrite_text(w, by_digest);
	jsonwrite_text(w, config);
	jsonwrite_close(w, ']');
	jsonwrite_key(w, "big-data-sizes");
	jsonwrite_open(w, '{');
	jsonwrite_member_number(w, "manifest", (int64_t)im->manifest_size);
	jsonwrite_member_number(w, by_digest, (int64_t)im->manifest_size);
	jsonwrite_member_number(w, config, (int64_t)im->config_size);
	jsonwrite_close(w, '}');
	jsonwrite_key(w, "big-data-digests");
	jsonwrite_open(w, '{');
	jsonwrite_member(w, "manifest", manifest);
	jsonwrite_member(w, by_digest, manifest);
	jsonwrite_member(w, config, config);
	jsonwrite_close(w, '}');
}

static void write_image(struct jsonwrite *w, const struct edition_image *list, size_t n,
			size_t at)
{
	const struct stored_image *im = list[at].image;
	char digest[DIGEST_TEXT_MAX];

	jsonwrite_open(w, '{');
	jsonwrite_member(w, "id", im->id);
	jsonwrite_member(w, "digest", digest_format(&im->manifest, digest));
	write_names(w, list, n, at);
	if (im->n_layers > 0)
		jsonwrite_member(w, "layer", im->layers[im->n_layers - 1]->id);
	write_documents(w, im);
	write_time(w, im->created);
	jsonwrite_close(w, '}');
}

static int write_images(struct edition *ed, const struct edition_image *list, size_t n)
{
	struct jsonwrite w;
	size_t i;

	jsonwrite_init(&w, &ed->images);
	jsonwrite_open(&w, '[');
	for (i = 0; i < n; i++) {
		if (is_first(list, i))
			write_image(&w, list, n, i);
	}
	jsonwrite_close(&w, ']');
	return jsonwrite_finish(&w);
}

/* BOTH */

static int make_generation(struct edition *ed)
{
	char hex[DIGEST_TEXT_MAX];
	struct hasher *h;
	struct digest d;
	int rc = hasher_new(DIGEST_SHA256, &h);

	if (rc < 0)
		return rc;
	hasher_update(h, ed->images.data, ed->images.len);
	hasher_update(h, ed->layers.data, ed->layers.len);
	hasher_finish(h, &d);
	hasher_free(h);
	strcpy(ed->generation, digest_hex(&d, hex));
	return 0;
}

/* The highest number of a layer, and one. */
static size_t count_numbers(const struct edition_image *list, size_t n)
{
	size_t i, k, max = 0;

	for (i = 0; i < n; i++) {
		for (k = 0; k < list[i].image->n_layers; k++) {
			if (list[i].image->layers[k]->number >= max)
				max = list[i].image->layers[k]->number + (size_t)1;
		}
	}
	return max;
}

int edition_make(struct edition *ed, const struct edition_image *list, size_t n)
{
	bool *is_written = calloc(count_numbers(list, n) + 1, sizeof(*is_written));
	int rc = is_written ? 0 : -ENOMEM;

	buf_init(&ed->images, LIST_MAX);
	buf_init(&ed->layers, LIST_MAX);
	if (rc == 0)
		rc = write_layers(ed, list, n, is_written);
	if (rc == 0)
		rc = write_images(ed, list, n);
	if (rc == 0)
		rc = make_generation(ed);
	free(is_written);
	return rc;
}

void edition_release(struct edition *ed)
{
	buf_release(&ed->images);
	buf_release(&ed->layers);
}
