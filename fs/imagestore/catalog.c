/* SPDX-License-Identifier: MIT */
#include "fs/imagestore/catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/image/image.h"

struct stored_layer *catalog_layer(const struct catalog *c, uint32_t number)
{
	return table_get(&c->layers, number);
}

struct stored_image *catalog_image(const struct catalog *c, uint32_t number)
{
	return table_get(&c->images, number);
}

static void image_release(struct stored_image *im)
{
	free(im->layers);
	free(im);
}

void catalog_release(struct catalog *c)
{
	uint32_t i;

	for (i = 0; i < table_count(&c->images); i++)
		image_release(catalog_image(c, i));
	for (i = 0; i < table_count(&c->layers); i++)
		free(catalog_layer(c, i));
	table_release(&c->images);
	table_release(&c->layers);
	free(c->by_image);
	memset(c, 0, sizeof(*c));
}

/* FINDING. Once for each lookup of a name: some thousand comparisons at most. */

struct stored_layer *catalog_find_layer(const struct catalog *c, const char *id)
{
	uint32_t i, n = table_count(&c->layers);

	for (i = 0; i < n; i++) {
		if (strcmp(catalog_layer(c, i)->id, id) == 0)
			return catalog_layer(c, i);
	}
	return NULL;
}

struct stored_layer *catalog_find_link(const struct catalog *c, const char *link)
{
	uint32_t i, n = table_count(&c->layers);

	for (i = 0; i < n; i++) {
		if (strcmp(catalog_layer(c, i)->link, link) == 0)
			return catalog_layer(c, i);
	}
	return NULL;
}

struct stored_image *catalog_find_image(const struct catalog *c, const char *id)
{
	uint32_t i, n = table_count(&c->images);

	for (i = 0; i < n; i++) {
		if (strcmp(catalog_image(c, i)->id, id) == 0)
			return catalog_image(c, i);
	}
	return NULL;
}

struct stored_layer *catalog_layer_of(const struct catalog *c, uint32_t image,
				      uint32_t layer)
{
	const struct stored_image *im = image < c->n_by_image ? c->by_image[image] : NULL;

	return im && layer < im->n_layers ? im->layers[layer] : NULL;
}

bool stored_image_is_measured(const struct stored_image *im)
{
	size_t i;

	for (i = 0; i < im->n_layers; i++) {
		if (!im->layers[i]->size)
			return false;
	}
	return true;
}

bool stored_image_has(const struct stored_image *im, const struct stored_layer *l)
{
	size_t i;

	for (i = 0; i < im->n_layers; i++) {
		if (im->layers[i] == l)
			return true;
	}
	return false;
}

/* ADDING */

static enum stored_compression compression_of_type(const char *media_type)
{
	if (strstr(media_type, "zstd"))
		return STORED_ZSTD;
	return strstr(media_type, "gzip") ? STORED_GZIP : STORED_PLAIN;
}

static int fill_layer(struct stored_layer *l, uint32_t image, const struct image *img,
		      uint32_t i)
{
	const struct descriptor *d = &img->layers[i];

	l->image = image;
	l->layer = i;
	l->diff_id = img->diff_ids[i];
	l->blob = d->digest;
	l->blob_size = d->size;
	l->compression = compression_of_type(d->media_type);
	l->created = img->has_created ? img->created : 0;
	return layer_id_link(l->id, l->link);
}

/* Layer @i of image @image of the mount, above @parent. */
static int add_layer(struct catalog *c, uint32_t image, const struct image *img,
		     uint32_t i, struct stored_layer *parent, struct stored_layer **out)
{
	char id[LAYER_ID_MAX];
	struct stored_layer *l;
	int rc = layer_id_make(parent ? parent->id : NULL, &img->diff_ids[i], id);

	if (rc < 0)
		return rc;
	*out = catalog_find_layer(c, id);
	if (*out) /* a config can claim any diff ID */
		return digest_equal(&(*out)->blob, &img->layers[i].digest) ? 0 : -EEXIST;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->parent = parent;
	split_init(&l->split, c->splits, image, i);
	strcpy(l->id, id);
	rc = fill_layer(l, image, img, i);
	if (rc == 0)
		rc = table_add(&c->layers, l, &l->number);
	if (rc < 0)
		free(l);
	else
		*out = l;
	return rc;
}

static int add_layers(struct catalog *c, const struct image *img, struct stored_image *im)
{
	struct stored_layer *parent = NULL;
	uint32_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < im->n_layers; i++) {
		rc = add_layer(c, im->image, img, i, parent, &im->layers[i]);
		parent = im->layers[i];
	}
	return rc;
}

static int note_image(struct catalog *c, struct stored_image *im, uint32_t image)
{
	size_t n = (size_t)image + 1;
	struct stored_image **list;

	if (n > c->n_by_image) {
		list = realloc(c->by_image, 2 * n * sizeof(*list));
		if (!list)
			return -ENOMEM;
		memset(list + c->n_by_image, 0, (2 * n - c->n_by_image) * sizeof(*list));
		c->by_image = list;
		c->n_by_image = 2 * n;
	}
	c->by_image[image] = im;
	return 0;
}

static int image_new(uint32_t image, const struct image *img, struct stored_image **out)
{
	struct stored_image *im = calloc(1, sizeof(*im));

	if (im)
		im->layers = calloc(img->n_layers + 1, sizeof(struct stored_layer *));
	if (!im || !im->layers) {
		free(im);
		return -ENOMEM;
	}
	im->image = image;
	im->manifest = img->manifest_descriptor.digest;
	im->config = img->config_descriptor.digest;
	digest_hex(&im->config, im->id);
	im->manifest_size = img->manifest.len;
	im->config_size = img->config.len;
	im->created = img->has_created ? img->created : 0;
	im->n_layers = img->n_layers;
	*out = im;
	return 0;
}

static int add_image(struct catalog *c, uint32_t image, const struct image *img,
		     struct stored_image **out)
{
	struct stored_image *im;
	int rc = image_new(image, img, &im);

	if (rc < 0)
		return rc;
	rc = add_layers(c, img, im);
	if (rc == 0)
		rc = table_add(&c->images, im, &im->number);
	if (rc < 0)
		image_release(im);
	else
		*out = im;
	return rc;
}

/* Has @im, whose config @img has too, the same layers? */
static bool has_layers_of(const struct stored_image *im, const struct image *img)
{
	size_t i;

	for (i = 0; i < im->n_layers && i < img->n_layers; i++) {
		if (!digest_equal(&im->layers[i]->blob, &img->layers[i].digest))
			return false;
	}
	return im->n_layers == img->n_layers;
}

int catalog_add(struct catalog *c, uint32_t image, const struct image *img,
		struct stored_image **out)
{
	char id[DIGEST_TEXT_MAX];
	struct stored_image *im;
	int rc = 0;

	im = catalog_find_image(c, digest_hex(&img->config_descriptor.digest, id));
	if (!im)
		rc = add_image(c, image, img, &im);
	else if (!has_layers_of(im, img))
		rc = -EEXIST;
	if (rc == 0)
		rc = note_image(c, im, image);
	if (rc == 0)
		*out = im;
	return rc;
}
