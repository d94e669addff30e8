/* SPDX-License-Identifier: MIT */
/*
 * The nodes of an image store that belong to no image of the mount, and the replies to the
 * kernel about them. fs/node/stored.c draws the tree. Node ids are those of synthetic rows of
 * image 0 that no image has. No network; any thread.
 */
#ifndef FS_IMAGESTORE_STORED_ITEM_H
#define FS_IMAGESTORE_STORED_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/imagestore/image_store.h"
#include "fs/tree/node.h"

struct buf;
struct item;

/* What the parameter is: */
enum stored_row {
	STORED_TOP = 0,	    /* one; of any mount, the top is row 0 of image 0 */
	STORED_FIRST = 960, /* above all rows of images */
	STORED_IMAGES = STORED_FIRST,
	STORED_IMAGES_JSON, /* an edition */
	STORED_IMAGES_LOCK, /* an edition */
	STORED_IMAGE,	    /* an image of the catalog, and one */
	STORED_LAYERS,
	STORED_LAYERS_JSON, /* an edition */
	STORED_LAYERS_LOCK, /* an edition */
	STORED_OVERLAY,
	STORED_LAYER, /* a layer of the catalog, and one; so are the following */
	STORED_TAR_SPLIT,
	STORED_LINK_FILE,
	STORED_LOWER,
	STORED_LINKS, /* one */
	STORED_LINK,
	STORED_END,
};

/* Whether a node of a mount with an image store is one of these. */
bool stored_item_is_stored(const struct node *n);
struct node stored_item_node(enum stored_row row, uint32_t parameter);
/* Of which a node is, or NULL. */
struct stored_layer *stored_item_layer(const struct image_store *s, const struct node *n);
struct stored_image *stored_item_image(const struct image_store *s, const struct node *n);
/* The text that a list or a lock file has. */
enum store_text stored_item_text(uint32_t row);
/*
 * The file `lower` of a layer: "l/LINK:l/LINK...", the parent first. 0, -ENOMEM, -E2BIG;
 * release @out in any case.
 */
int stored_item_lower(const struct stored_layer *l, struct buf *out);

/* 0, -ESTALE, -ENOMEM. */
int stored_item_describe(struct image_store *s, const struct node *node,
			 struct item *out);
/* The directory around the tree of layer @layer of image @image of the mount. */
int stored_item_describe_layer(struct image_store *s, uint32_t image, uint32_t layer,
			       struct item *out);

#endif
