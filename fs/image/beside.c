/* SPDX-License-Identifier: MIT */
#include "fs/image/beside.h"

#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/store/lower_slot.h"
#include "fs/image/context.h"
#include "fs/image/layers.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "registry/image_source.h"
#include "tar/layer_trace.h"

bool beside_has_index(const struct context *c, const struct descriptor *layer)
{
	int fd = store_find_index(c->store, &layer->digest);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A layer whose table of contents the manifest vouches for needs no other. */
static bool has_own_table(const struct descriptor *d)
{
	return descriptor_annotation(d, ESTARGZ_KEY) ||
	       descriptor_annotation(
		       d, "io.github.containers.zstd-chunked.manifest-checksum") ||
	       descriptor_annotation(d, "io.containers.zstd-chunked.manifest-checksum");
}

/*
 * May indexes beside the image be looked for? Nothing but the digest, or a key, may decide what
 * an image that was asked for by its digest contains. A tag is the registry's word, too. If
 * images must be signed, registry/ gives only what an accepted key has signed.
 */
static bool beside_is_allowed(const struct context *c, const struct image_source *source,
			      bool is_pinned)
{
	/* A layer that is found by its diff ID is streamed: layer_files.h. */
	if (c->options->layout == LAYOUT_EROFS)
		return false;
	switch (c->options->tocs) {
	case TOCS_AUTO:
		/* Images of different repositories share layers there. */
		if (c->options->layout == LAYOUT_STORE)
			return false;
		return !is_pinned || image_source_needs_signature(source);
	case TOCS_REGISTRY:
		return true;
	case TOCS_NONE:
		break;
	}
	return false;
}

void beside_find_allowed(const struct context *c, struct image_source *source,
			 struct image *img, bool is_pinned)
{
	struct err e = {""};
	bool may_ask = false;
	size_t i;

	if (!beside_is_allowed(c, source, is_pinned))
		return;
	for (i = 0; i < img->n_layers && !may_ask; i++)
		may_ask = !has_own_table(&img->layers[i]) &&
			  !beside_has_index(c, &img->layers[i]);
	if (image_source_find_beside(source, img, may_ask, &e) < 0)
		log_info(c->log, "%s", e.text);
}

void beside_prefetch(const struct context *c, const struct image *img,
		     struct mount_layer *const *layers)
{
	uint64_t budget = PREFETCH_MAX;
	size_t i;

	if (!c->mountpoint || c->options->client.offline)
		return;
	for (i = 0; i < img->trace.n; i++) {
		const struct trace_range *r = &img->trace.list[i];
		const struct byte_range bytes = {r->first, r->end};

		if (r->layer < img->n_layers)
			layer_prefetch(layers[r->layer]->layer, &bytes, &budget);
	}
}
