/* SPDX-License-Identifier: MIT */
#include "registry/image.h"

#include <stdlib.h>
#include <string.h>

const char *descriptor_annotation(const struct descriptor *d, const char *key)
{
	size_t i;

	for (i = 0; i < d->n_annotations; i++) {
		if (!strcmp(d->annotations[i].key, key))
			return d->annotations[i].value;
	}
	return NULL;
}

void descriptor_release(struct descriptor *d)
{
	size_t i;

	for (i = 0; i < d->n_annotations; i++) {
		free(d->annotations[i].key);
		free(d->annotations[i].value);
	}
	for (i = 0; i < d->n_urls; i++)
		free(d->urls[i]);
	free(d->annotations);
	free(d->urls);
	free(d->media_type);
	free(d->artifact_type);
	*d = (struct descriptor){0};
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
	free(img->layers);
	free(img->platforms);
	free(img->diff_ids);
	free(img->name);
	free(img);
}
