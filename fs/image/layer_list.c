/* SPDX-License-Identifier: MIT */
#include "fs/image/layer_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "fs/image/layers.h"
#include "fs/options/log.h"
#include "fs/text/blob_names.h"
#include "registry/image/image.h"
#include "tar/layer.h"

static bool has_own(const struct layer_list *list, const struct mount_layer *l, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (list->own[i] == l)
			return true;
	}
	return false;
}

static int find_all(struct layer_list *l, struct layers *ls, const struct image *img,
		    bool is_file, bool (*wants)(const struct descriptor *d),
		    uint64_t seed, struct image_source *source)
{
	size_t i, n = 0;
	int rc = 0;

	l->all = calloc(img->n_layers + 1, sizeof(struct mount_layer *));
	l->own = calloc(img->n_layers + 1, sizeof(struct mount_layer *));
	if (!l->all || !l->own)
		return -ENOMEM;
	for (i = 0; rc == 0 && i < img->n_layers; i++) {
		if (wants && !wants(&img->layers[i]))
			continue;
		rc = layers_find(ls, &img->layers[i], is_file, seed, source, &l->all[i]);
		if (rc == 0 && !has_own(l, l->all[i], n))
			l->own[n++] = l->all[i];
	}
	if (rc < 0)
		return rc;
	l->n_all = img->n_layers;
	/* Other threads see all layers or none. */
	__atomic_store_n(&l->n_own, n, __ATOMIC_RELEASE);
	return 0;
}

int layer_list_find(struct layer_list *l, struct layers *ls, const struct image *img,
		    uint64_t seed, struct image_source *source)
{
	return find_all(l, ls, img, img->is_artifact, NULL, seed, source);
}

int layer_list_find_packed(struct layer_list *l, struct layers *ls,
			   const struct image *img, uint64_t seed,
			   struct image_source *source)
{
	return find_all(l, ls, img, false, blob_is_packed, seed, source);
}

void layer_list_release(struct layer_list *l)
{
	free(l->all);
	free(l->own);
	*l = (struct layer_list){.all = NULL};
}

size_t layer_list_count(const struct layer_list *l)
{
	return __atomic_load_n(&l->n_own, __ATOMIC_ACQUIRE);
}

void layer_list_total(const struct layer_list *l, struct layer_totals *out)
{
	const struct index_info *info;
	size_t i;

	*out = (struct layer_totals){.n_broken = 0};
	for (i = 0; i < l->n_own; i++) {
		if (l->own[i]->loaded < 0)
			out->n_broken++;
		else
			out->n_skipped +=
				index_info(layer_index(l->own[i]->layer))->n_skipped;
	}
	for (i = 0; i < l->n_all; i++) {
		if (l->all[i]->loaded < 0)
			continue;
		info = index_info(layer_index(l->all[i]->layer));
		out->has_xattrs |= info->has_xattrs;
		out->has_sparse |= info->has_sparse;
		out->content_size = add_sizes(out->content_size, info->content_size);
		out->n_entries += info->n_entries;
	}
}

/* WARNINGS */

/* A warning names the first one; -v names as many as the index knows. */
static void log_skipped(struct log *log, const struct layer *l)
{
	const struct index *ix = layer_index(l);
	char digest[DIGEST_TEXT_MAX];
	const char *text, *end;
	size_t len, line;

	if (index_info(ix)->n_skipped == 0 || index_skipped(ix, &text, &len) < 0)
		return;
	end = memchr(text, '\n', len);
	log_warn(log,
		 "layer %s: %u entries or attributes cannot be shown, the first "
		 "of them %.*s",
		 digest_format(layer_digest(l), digest), index_info(ix)->n_skipped,
		 (int)(end ? end - text : (ptrdiff_t)len), text);
	for (; len > 0; text += line, len -= line) {
		end = memchr(text, '\n', len);
		line = end ? (size_t)(end - text) + 1 : len;
		log_info(log, "layer %s: %.*s", digest, (int)(end ? line - 1 : line),
			 text);
	}
}

static void log_layer(struct log *log, const struct layer *l)
{
	struct layer_progress p;
	char digest[DIGEST_TEXT_MAX];

	log_skipped(log, l);
	layer_progress(l, &p);
	if (p.warning[0])
		log_warn(log, "layer %s: %s%s", digest_format(layer_digest(l), digest),
			 p.warning,
			 p.basis == BASIS_STREAM ? "; all of it was fetched instead"
						 : "");
}

void layer_list_log(const struct layer_list *l, struct log *log)
{
	size_t i;

	for (i = 0; i < l->n_own; i++) {
		if (l->own[i]->loaded == 0)
			log_layer(log, l->own[i]->layer);
	}
}

const struct mount_layer *layer_list_broken(const struct layer_list *l, size_t *i)
{
	for (; *i < l->n_own; ++*i) {
		if (l->own[*i]->loaded < 0)
			return l->own[(*i)++];
	}
	return NULL;
}
