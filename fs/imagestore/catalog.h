/* SPDX-License-Identifier: MIT */
/*
 * The layers and images that an image store shows. Each gets a number, which is never reused,
 * because node ids encode it, and stays for the life of the mount. A layer is in the catalog
 * once, for all images with the same layers up to it.
 *
 * Calls: under a lock of the caller, except catalog_layer() and catalog_image(). What is in the
 * structs does not change, unless a comment says otherwise.
 */
#ifndef FS_IMAGESTORE_CATALOG_H
#define FS_IMAGESTORE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "fs/image/table.h"
#include "fs/imagestore/layer_id.h"
#include "fs/imagestore/splits.h"

struct image;

/* As containers/storage counts them. */
enum stored_compression {
	STORED_PLAIN = 0,
	STORED_GZIP = 2,
	STORED_ZSTD = 4,
};

struct stored_layer {
	uint32_t number;
	struct stored_layer *parent; /* NULL: it is the lowest */
	char id[LAYER_ID_MAX];
	char link[LAYER_LINK_MAX];
	/* Whose layer it is: of the first image that has it, and its number there. */
	uint32_t image;
	uint32_t layer;
	struct digest diff_id;
	struct digest blob;
	uint64_t blob_size; /* compressed */
	enum stored_compression compression;
	int64_t created;
	struct split split;
	/* Changes, under the lock: */
	uint64_t size; /* decoded; 0: not known yet */
};

struct stored_image {
	uint32_t number;
	uint32_t image;		  /* its number in the mount */
	char id[DIGEST_TEXT_MAX]; /* of its config, in hexadecimal */
	struct digest manifest;
	struct digest config;
	uint64_t manifest_size;
	uint64_t config_size;
	int64_t created;
	struct stored_layer **layers; /* the lowest first */
	size_t n_layers;
};

/* All zero, but for the first: empty. */
struct catalog {
	struct splits *splits; /* outlives the layers */
	struct table layers;
	struct table images;
	/* The images of the mount whose layers are shown: by_image[number], or NULL. */
	struct stored_image **by_image;
	size_t n_by_image;
};

void catalog_release(struct catalog *c);

/*
 * Finds or adds image number @image of the mount, which is no artifact. Another image with the
 * same config is the same. -ENOTSUP: a diff ID is no SHA-256. -EEXIST: an image that is here
 * has the same config or diff IDs, and other blobs. -ENOMEM, -ENOSPC.
 */
int catalog_add(struct catalog *c, uint32_t image, const struct image *img,
		struct stored_image **out);

/* By number, or NULL. Any thread. */
struct stored_layer *catalog_layer(const struct catalog *c, uint32_t number);
struct stored_image *catalog_image(const struct catalog *c, uint32_t number);
/* By ID or link, or NULL. */
struct stored_layer *catalog_find_layer(const struct catalog *c, const char *id);
struct stored_layer *catalog_find_link(const struct catalog *c, const char *link);
struct stored_image *catalog_find_image(const struct catalog *c, const char *id);
/* The layer that shows layer @layer of image @image of the mount, or NULL. */
struct stored_layer *catalog_layer_of(const struct catalog *c, uint32_t image,
				      uint32_t layer);

/* Whether the sizes of all its layers are known. Under the lock. */
bool stored_image_is_measured(const struct stored_image *im);
bool stored_image_has(const struct stored_image *im, const struct stored_layer *l);

#endif
