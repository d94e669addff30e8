/* SPDX-License-Identifier: MIT */
#include "fs/image/texts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fs/image/layers.h"
#include "fs/text/blob_names.h"
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
	bool has_sizes;
} kinds[N_TEXTS] = {
	[TEXT_INSPECT] = {inspect_render, .has_sizes = true},
	[TEXT_HISTORY] = {history_render, .has_sizes = true},
	[TEXT_DOCKERFILE] = {dockerfile_render},
	[TEXT_LAYER] = {.render_layer = layer_json_render, .has_sizes = true},
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

/* Makes *@out, all texts of the kind; t->n has their number. */
static int make_kind(struct texts *t, const struct image_facts *f, enum text_kind kind,
		     struct text **out)
{
	size_t n = kinds[kind].render ? 1 : f->image->n_layers;
	uint32_t i;
	int rc = 0;

	if (f->image->is_artifact && !kinds[kind].of_artifacts)
		return 0;
	*out = calloc(n + 1, sizeof(struct text));
	if (!*out)
		return -ENOMEM;
	t->n[kind] = (uint32_t)n;
	for (i = 0; rc == 0 && i < n; i++)
		rc = make_text(f, kind, i, &(*out)[i]);
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

int texts_make(struct texts *t, struct image_facts *f, size_t n_platforms)
{
	const struct image *img = f->image;
	struct history h = {0};
	int rc, kind;

	t->n_platforms = n_platforms;
	rc = img->is_artifact
		     ? blob_names_make(img->layers, img->n_layers, &t->blob_names)
		     : history_init(&h, img);
	if (rc == 0)
		rc = titles_of_platforms(img->platforms, n_platforms, &t->platform_names);
	f->history = &h;
	for (kind = 0; rc == 0 && kind < N_TEXTS; kind++)
		rc = make_kind(t, f, (enum text_kind)kind, &t->list[kind]);
	f->history = NULL;
	history_release(&h);
	return rc;
}

static int measure_all(struct texts *t, const struct image_facts *f)
{
	int rc = 0, kind;

	for (kind = 0; rc == 0 && kind < N_TEXTS; kind++) {
		if (kinds[kind].has_sizes)
			rc = make_kind(t, f, (enum text_kind)kind, &t->measured[kind]);
	}
	return rc;
}

int texts_measure(struct texts *t, struct image_facts *f,
		  struct mount_layer *const *layers)
{
	size_t i, n = f->image->n_layers;
	struct layer_facts *facts = calloc(n + 1, sizeof(*facts));
	struct history h = {0};
	int rc;

	if (!facts)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		layer_facts(layers[i], &facts[i]);
	rc = history_init(&h, f->image);
	f->layers = facts;
	f->history = &h;
	if (rc == 0)
		rc = measure_all(t, f);
	f->layers = NULL;
	f->history = NULL;
	history_release(&h);
	free(facts);
	return rc;
}

bool texts_has_sizes(enum text_kind kind)
{
	return kinds[kind].has_sizes;
}

static void free_texts(struct text *list, uint32_t n)
{
	uint32_t i;

	for (i = 0; list && i < n; i++)
		free(list[i].data);
	free(list);
}

void texts_unmeasure(struct texts *t)
{
	uint32_t kind;

	for (kind = 0; kind < N_TEXTS; kind++) {
		free_texts(t->measured[kind], t->n[kind]);
		t->measured[kind] = NULL;
	}
}

void texts_release(struct texts *t)
{
	uint32_t kind;

	texts_unmeasure(t);
	for (kind = 0; kind < N_TEXTS; kind++)
		free_texts(t->list[kind], t->n[kind]);
	blob_names_release(&t->blob_names);
	if (t->platform_names)
		titles_free(t->platform_names, t->n_platforms);
	memset(t, 0, sizeof(*t));
}
