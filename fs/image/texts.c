/* SPDX-License-Identifier: MIT */
#include "fs/image/texts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fs/image/layers.h"
#include "fs/text/dockerfile.h"
#include "fs/text/facts.h"
#include "fs/text/history.h"
#include "fs/text/inspect.h"
#include "fs/text/layer_json.h"
#include "fs/text/oci_layout.h"
#include "fs/text/titles.h"
#include "tar/layer.h"

/*
 * A text is made of documents of at most DOCUMENT_MAX bytes each. Quotes, indentation and
 * headings make it longer, but not by more than this for an honest config.
 */
#define TEXT_MAX (8 * (size_t)DOCUMENT_MAX)

static const struct {
	int (*render)(const struct image_facts *f, struct buf *out);
	int (*render_layer)(const struct image_facts *f, uint32_t i, struct buf *out);
	bool of_artifacts;
} kinds[N_TEXTS] = {
	[TEXT_INSPECT] = {inspect_render},
	[TEXT_HISTORY] = {history_render},
	[TEXT_DOCKERFILE] = {dockerfile_render},
	[TEXT_LAYER] = {.render_layer = layer_json_render},
	[TEXT_OCI_LAYOUT] = {oci_layout_render, .of_artifacts = true},
	[TEXT_OCI_INDEX] = {oci_layout_index, .of_artifacts = true},
};

/* A text that would be too long has its failure in its place. */
static int make_text(const struct image_facts *f, enum text_kind kind, uint32_t i,
		     struct text *out)
{
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX);
	rc = kinds[kind].render ? kinds[kind].render(f, &text)
				: kinds[kind].render_layer(f, i, &text);
	if (rc == 0) {
		out->len = text.len;
		out->data = buf_take(&text);
	}
	buf_release(&text);
	out->failed = rc;
	return rc == -E2BIG ? 0 : rc;
}

static int make_kind(struct texts *t, const struct image_facts *f, enum text_kind kind)
{
	size_t n = kinds[kind].render ? 1 : f->image->n_layers;
	uint32_t i;
	int rc = 0;

	if (f->image->is_artifact && !kinds[kind].of_artifacts)
		return 0;
	t->list[kind] = calloc(n + 1, sizeof(struct text));
	if (!t->list[kind])
		return -ENOMEM;
	t->n[kind] = (uint32_t)n;
	for (i = 0; rc == 0 && i < n; i++)
		rc = make_text(f, kind, i, &t->list[kind][i]);
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

static int make_all(struct texts *t, struct image_facts *f,
		    struct mount_layer *const *layers)
{
	size_t i, n = f->image->is_artifact ? 0 : f->image->n_layers;
	struct layer_facts *facts = calloc(n + 1, sizeof(*facts));
	int rc = 0, kind;

	if (!facts)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		layer_facts(layers[i], &facts[i]);
	f->layers = facts;
	for (kind = 0; rc == 0 && kind < N_TEXTS; kind++)
		rc = make_kind(t, f, (enum text_kind)kind);
	f->layers = NULL;
	free(facts);
	return rc;
}

int texts_make(struct texts *t, struct image_facts *f, struct mount_layer *const *layers,
	       size_t n_platforms)
{
	const struct image *img = f->image;
	struct history h = {0};
	int rc;

	t->n_platforms = n_platforms;
	t->n_titles = img->n_layers;
	rc = img->is_artifact ? titles_make(img->layers, img->n_layers, &t->titles)
			      : history_init(&h, img);
	if (rc == 0)
		rc = titles_of_platforms(img->platforms, n_platforms, &t->platform_names);
	f->history = &h;
	if (rc == 0)
		rc = make_all(t, f, layers);
	f->history = NULL;
	history_release(&h);
	return rc;
}

void texts_release(struct texts *t)
{
	uint32_t kind, i;

	for (kind = 0; kind < N_TEXTS; kind++) {
		for (i = 0; i < t->n[kind]; i++)
			free(t->list[kind][i].data);
		free(t->list[kind]);
	}
	if (t->titles)
		titles_free(t->titles, t->n_titles);
	if (t->platform_names)
		titles_free(t->platform_names, t->n_platforms);
	memset(t, 0, sizeof(*t));
}
