/* SPDX-License-Identifier: MIT */
#include "registry/image/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "registry/image/manifest.h"

static const char *find_annotation(const struct annotation *list, size_t n,
				   const char *key)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(list[i].key, key) == 0)
			return list[i].value;
	}
	return NULL;
}

void annotations_free(struct annotation *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(list[i].key);
		free(list[i].value);
	}
	free(list);
}

bool descriptor_is_index(const struct descriptor *d)
{
	return document_kind_of(d->media_type) == DOCUMENT_INDEX;
}

bool descriptor_is_document(const struct descriptor *d)
{
	const char *media = d->media_type ? d->media_type : "";

	return document_kind_of(media) != DOCUMENT_UNKNOWN ||
	       strcmp(media, MEDIA_OCI_CONFIG) == 0 ||
	       strcmp(media, MEDIA_DOCKER_CONFIG) == 0;
}

const char *descriptor_annotation(const struct descriptor *d, const char *key)
{
	return find_annotation(d->annotations, d->n_annotations, key);
}

const char *image_annotation(const struct image *img, const char *key)
{
	return find_annotation(img->annotations, img->n_annotations, key);
}

int image_must_have_files(const struct image *img, struct err *e)
{
	if (!img->is_artifact)
		return 0;
	return err_set(
		e, -ENOTSUP,
		"%s: an artifact of type %.100s, not an image: it has no filesystem "
		"layers",
		img->name, img->artifact_type ? img->artifact_type : "unknown");
}

void descriptor_release(struct descriptor *d)
{
	size_t i;

	for (i = 0; i < d->n_urls; i++)
		free(d->urls[i]);
	annotations_free(d->annotations, d->n_annotations);
	free(d->data);
	free(d->urls);
	free(d->media_type);
	free(d->artifact_type);
	*d = (struct descriptor){0};
}

/* A text that may be NULL; *r tells of what could not be had. */
static char *copy_text(const char *text, int *r)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		*r = -ENOMEM;
	return copy;
}

int descriptor_copy(const struct descriptor *d, struct descriptor *out)
{
	size_t i;
	int rc = 0;

	*out = *d;
	out->media_type = copy_text(d->media_type, &rc);
	out->artifact_type = copy_text(d->artifact_type, &rc);
	if (d->data) {
		out->data = malloc(d->size + 1);
		if (out->data)
			memcpy(out->data, d->data, d->size);
		else
			rc = -ENOMEM;
	}
	out->annotations = calloc(d->n_annotations + 1, sizeof(*out->annotations));
	out->urls = calloc(d->n_urls + 1, sizeof(*out->urls));
	if (!out->annotations)
		out->n_annotations = 0;
	if (!out->urls)
		out->n_urls = 0;
	if (!out->annotations || !out->urls)
		rc = -ENOMEM;
	for (i = 0; i < out->n_annotations; i++) {
		out->annotations[i].key = copy_text(d->annotations[i].key, &rc);
		out->annotations[i].value = copy_text(d->annotations[i].value, &rc);
	}
	for (i = 0; i < out->n_urls; i++)
		out->urls[i] = copy_text(d->urls[i], &rc);
	if (rc < 0)
		descriptor_release(out);
	return rc;
}

void image_free(struct image *img)
{
	size_t i;

	if (!img)
		return;
	for (i = 0; img->layers && i < img->n_layers; i++)
		descriptor_release(&img->layers[i]);
	for (i = 0; img->platforms && i < img->n_platforms; i++)
		descriptor_release(&img->platforms[i]);
	descriptor_release(&img->index_descriptor);
	descriptor_release(&img->manifest_descriptor);
	descriptor_release(&img->config_descriptor);
	buf_release(&img->index);
	buf_release(&img->manifest);
	buf_release(&img->config);
	annotations_free(img->annotations, img->n_annotations);
	free(img->artifact_type);
	free(img->layers);
	free(img->platforms);
	free(img->diff_ids);
	free(img->name);
	free(img);
}
