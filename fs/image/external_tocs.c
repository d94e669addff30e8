/* SPDX-License-Identifier: MIT */
#include "fs/image/external_tocs.h"

#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/store/slot.h"
#include "fs/options/log.h"
#include "fs/image/context.h"
#include "fs/image/layers.h"
#include "fs/options/options.h"
#include "registry/image_source.h"

static bool has_index(struct context *c, const struct descriptor *d)
{
	struct slot *slot;
	int fd;

	if (slot_open(c->store, &d->digest, &slot) < 0)
		return false;
	fd = slot_open_index(slot);
	if (fd >= 0)
		close(fd);
	slot_close(slot);
	return fd >= 0;
}

/* SOCI is for gzip and plain tar; a layer with an embedded table does not need one. */
static bool may_have_table(const struct descriptor *d)
{
	return !strstr(d->media_type, "zstd") && !descriptor_annotation(d, ESTARGZ_KEY);
}

/* Nothing but the digest may decide what an image that was asked for by it contains. */
void external_tocs_find(struct context *c, struct image_source *source, bool is_pinned,
			struct image *img)
{
	bool may_ask = false;
	struct err e = {""};
	size_t i;

	if (c->options->tables == TABLES_NONE ||
	    (c->options->tables == TABLES_AUTO && is_pinned))
		return;
	for (i = 0; i < img->n_layers && !may_ask; i++)
		may_ask = may_have_table(&img->layers[i]) &&
			  !has_index(c, &img->layers[i]);
	if (image_source_find_tocs(source, img, may_ask, &e) < 0)
		log_info(c->log, "%s", e.text);
}
