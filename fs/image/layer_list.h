/* SPDX-License-Identifier: MIT */
/* The layers of one image, as the mount has them. One thread, unless a call says otherwise. */
#ifndef FS_IMAGE_LAYER_LIST_H
#define FS_IMAGE_LAYER_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;
struct image_source;
struct layers;
struct log;
struct mount_layer;

/* All zero: empty. */
struct layer_list {
	/*
	 * One for each of image->layers, in its order. Of the blobs that an artifact has
	 * packed: NULL for each other blob.
	 */
	struct mount_layer **all;
	struct mount_layer **own; /* the same, each once */
	size_t n_all;
	size_t n_own; /* atomic; 0 until the list is complete */
};

/*
 * Finds the layers of @img; none of them is opened. @seed is the image that layers_find()
 * takes, and @source has the bytes. 0, -ENOMEM, -ENOSPC. Release the list in any case.
 */
int layer_list_find(struct layer_list *l, struct layers *ls, const struct image *img,
		    uint64_t seed, struct image_source *source);
/* The same for those blobs of an artifact that are archives of directories. */
int layer_list_find_packed(struct layer_list *l, struct layers *ls,
			   const struct image *img, uint64_t seed,
			   struct image_source *source);
void layer_list_release(struct layer_list *l);
/* How many of l->own are known. Any thread. */
size_t layer_list_count(const struct layer_list *l);

/* Sums over layers that are open, each as often as the image has it. Broken ones are left out. */
struct layer_totals {
	uint32_t n_broken;  /* each counts once */
	uint64_t n_skipped; /* entries that cannot be shown; each layer counts once */
	uint64_t n_entries;
	uint64_t content_size;
	bool has_xattrs; /* any of them */
	bool has_sparse;
};

/* The layers are pinned. */
void layer_list_total(const struct layer_list *l, struct layer_totals *out);
/* Logs what cannot be shown of layers that are not broken. They are pinned. */
void layer_list_log(const struct layer_list *l, struct log *log);
/* The next broken layer from l->own[*i] on, and moves *i behind it; or NULL. Pinned. */
const struct mount_layer *layer_list_broken(const struct layer_list *l, size_t *i);

#endif
