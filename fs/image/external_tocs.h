/* SPDX-License-Identifier: MIT */
/* Tables of contents that a registry keeps beside an image's layers (SOCI). */
#ifndef FS_IMAGE_EXTERNAL_TOCS_H
#define FS_IMAGE_EXTERNAL_TOCS_H

#include <stdbool.h>

struct context;
struct image;
struct image_source;

/*
 * Adds those of the layers of @img to their descriptors, if -o index= allows it.
 * @is_pinned: the image was asked for by its digest. Asks the registry only if a layer that
 * may have a table has no index in the store. Failures are logged.
 */
void external_tocs_find(struct context *c, struct image_source *source, bool is_pinned,
			struct image *img);

#endif
