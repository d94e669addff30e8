/* SPDX-License-Identifier: MIT */
/*
 * What the mount adds to the tree of an image: its documents and the directories around
 * them. A table of rows: to show one more thing is to add a row.
 *
 * The image is pinned for all calls that do not say otherwise. Any thread.
 */
#ifndef FS_NODE_ROWS_H
#define FS_NODE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/tree/node.h"

struct item;
struct mount_layer;
struct nodes;
struct view;

/*
 * node.layer is the row. node.entry is a parameter that counts from 1, of a row of layers
 * the number of the layer for example, or 1. Of a live row it is the snapshot, or 0 in a
 * list, where it has no node before it is looked up.
 */
enum row_number {
	ROW_TOP,
	ROW_ROOTFS, /* the root of the merged tree: merged.c */
	ROW_EROFS,
	/* Layers as such images, by diff ID. */
	ROW_DIFF_IDS,
	ROW_DIFF_SHA256,
	ROW_DIFF_GROUP, /* parameter: the first byte of the digests in it */
	ROW_DIFF_FILE,	/* parameter: which of image->diff_ids */
	/* Blobs of an artifact, by their titles: texts.blob_names. */
	ROW_FILES,
	ROW_FILE_DIR,	 /* a directory in a title */
	ROW_FILE,	 /* a blob */
	ROW_FILE_PACKED, /* the directory that is packed in a blob, a root: raw.c */
	ROW_CONFIG,
	ROW_MANIFEST,
	ROW_INDEX,
	ROW_INSPECT,
	ROW_HISTORY,
	ROW_DOCKERFILE,
	ROW_LAYERS,
	ROW_LAYER, /* the root of a layer: raw.c */
	ROW_LAYER_JSON,
	ROW_PLATFORMS,
	ROW_PLATFORM, /* stands for the top of another image */
	ROW_REFERRERS,
	ROW_REFERRER_TYPE,
	ROW_REFERRER, /* stands for the top of another image */
	ROW_OCI,
	ROW_OCI_LAYOUT,
	ROW_OCI_INDEX,
	ROW_OCI_BLOBS,
	ROW_OCI_ALGORITHM, /* parameter: enum digest_alg */
	ROW_OCI_WHOLE,	   /* the image index */
	ROW_OCI_MANIFEST,
	ROW_OCI_CONFIG,
	ROW_OCI_LAYER, /* parameter: which of view->blobs.own */
	ROW_OCI_OTHER, /* parameter: which of view->index_blobs.list */
	/* In the place of the row of that name until the sizes of layers are known: */
	ROW_EARLY_INSPECT,
	ROW_EARLY_HISTORY,
	ROW_EARLY_LAYER_JSON,
	ROW_PEELFS,
	ROW_STATUS,
	N_ROWS,
};

/* What a row consists of. */
enum row_kind {
	ROW_IS_DIR,
	ROW_IS_LIVE,	   /* a snapshot for each lookup */
	ROW_IS_BYTES,	   /* a document or a text: rows_bytes() */
	ROW_IS_BLOB,	   /* fetched when it is read: rows_blob() */
	ROW_IS_EROFS,	   /* the merged tree as an image: view_need_erofs() */
	ROW_IS_LAYER_FILE, /* a layer as one: view_need_files(), also for its name */
};

/* False: there is no such node. */
bool rows_has(const struct view *v, const struct node *n);
enum row_kind rows_kind(uint32_t row);
/* Does the row tell sizes, which are known once the tree of the image is loaded? */
bool rows_need_tree(const struct node *n);
/* 0, -ESTALE: no such node, or a snapshot that is gone. */
int rows_describe(const struct nodes *nodes, const struct view *v, const struct node *n,
		  struct item *out);
/*
 * A directory that has images in it, described without loading its own image, which need
 * not be pinned unless it is image 0.
 */
void rows_describe_around(const struct view *v, const struct node *n, struct item *out);
/* The directory around a row; the top's is the top. */
void rows_parent(const struct view *v, const struct node *n, struct node *out);

/* The row with that name in a directory; -ENOENT. */
int rows_find(const struct view *v, const struct node *dir, const char *name,
	      struct node *out);
/*
 * The next row in a directory after *@cookie (0 to begin), which is moved; @name has
 * NAME_MAX + 1 bytes. False at the end.
 */
bool rows_next(const struct view *v, const struct node *dir, uint64_t *cookie, char *name,
	       struct node *out);

/* Whether a program that lists the directory around the row is to see it (-o list=). */
bool rows_is_listed(const struct view *v, const struct node *n);

/* The bytes of a row, borrowed. 0, or why the text could not be made. */
int rows_bytes(const struct view *v, const struct node *n, const char **data,
	       size_t *len);
/* The layer of a ROW_IS_LAYER_FILE. */
struct mount_layer *rows_layer(const struct view *v, const struct node *n);
/* The blob of a row, for raw_blob_read(). 0, -ENOMEM, -ENOSPC. */
int rows_blob(struct view *v, const struct node *n, struct mount_layer **out);

#endif
