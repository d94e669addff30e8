/* SPDX-License-Identifier: MIT */
/*
 * Indexes that a registry keeps beside an image: pushed by peelfs, or SOCI's. Nothing in the
 * image vouches for them, so this module decides whether they may be used.
 */
#ifndef FS_IMAGE_BESIDE_H
#define FS_IMAGE_BESIDE_H

#include <stdbool.h>

struct context;
struct descriptor;
struct image;
struct image_source;
struct mount_layer;

/* Does the store have an index of the layer? */
bool beside_has_index(const struct context *c, const struct descriptor *layer);

/*
 * Sets `beside` of the layers of @img, an image of @source, if -o index= and the way in which
 * the image was asked for allow it (@is_pinned: by a digest). Failures are logged and leave the
 * layers as they are. Asks the registry only if the store lacks the index of a layer that has
 * none of its own.
 */
void beside_find_allowed(const struct context *c, struct image_source *source,
			 struct image *img, bool is_pinned);

/*
 * Begins to fetch what the registry says that programs read first of @img, if that is known and
 * the image is mounted. @layers are those of the image, from 0, pinned and not broken.
 */
void beside_prefetch(const struct context *c, const struct image *img,
		     struct mount_layer *const *layers);

#endif
