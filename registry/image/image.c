/* SPDX-License-Identifier: MIT */
#include "registry/image/image.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"

const char *image_annotation(const struct image *img, const char *key)
{
	return annotations_find(img->annotations, img->n_annotations, key);
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

_Static_assert(TRACE_LAYERS_MAX == IMAGE_LAYERS_MAX, "a trace may name any layer");

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
	free(img->tags);
	trace_release(&img->trace);
	free(img->warning);
	free(img);
}
