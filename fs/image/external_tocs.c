/* SPDX-License-Identifier: MIT */
#include "fs/image/external_tocs.h"

#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/store/slot.h"
#include "fs/options/log.h"
#include "fs/image/context.h"
#include "fs/options/options.h"
#include "registry/image_source.h"

static bool has_index(struct mount *m, const struct descriptor *d)
{
	struct slot *slot;
	int fd;

	if (slot_open(m->store, &d->digest, &slot) < 0)
		return false;
	fd = slot_open_index(slot);
	if (fd >= 0)
		close(fd);
	slot_close(slot);
	return fd >= 0;
}

/* Such tables are of gzip and of plain tar, and no use to a layer that carries its own. */
static bool may_have_table(const struct descriptor *d)
{
	return !strstr(d->media_type, "zstd") && !descriptor_annotation(d, ESTARGZ_KEY);
}

/* By a digest, as the images of a namespace are: nothing else is to have a say in it. */
static bool is_pinned(const struct view *v)
{
	return v->source || image_source_is_pinned(v->image_source);
}

void external_tocs_find(const struct view *v, struct image *img)
{
	struct mount *m = v->mount;
	bool may_ask = false;
	struct err e = {""};
	size_t i;

	if (m->options->tables == TABLES_NONE ||
	    (m->options->tables == TABLES_AUTO && is_pinned(v)))
		return;
	for (i = 0; i < img->n_layers && !may_ask; i++)
		may_ask = may_have_table(&img->layers[i]) &&
			  !has_index(m, &img->layers[i]);
	if (image_source_find_tocs(v->image_source, img, may_ask, &e) < 0)
		log_info(m->log, "%s", e.text);
}
