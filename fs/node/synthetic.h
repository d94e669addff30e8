/* SPDX-License-Identifier: MIT */
/*
 * What is ours in the tree of an image: its documents, and the directories around
 * them. A table of rows; to show one more thing is to add a row.
 *
 * Texts that are made of the image are made by synthetic_load() and do not change.
 *
 * The view is pinned for all calls.
 */
#ifndef FS_NODE_SYNTHETIC_H
#define FS_NODE_SYNTHETIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/tree/node.h"

struct item;
struct mount_layer;
struct view;
struct waiter;

/*
 * node.layer is the row. node.entry is a parameter: of a row that there is of each layer,
 * say, its number from 1; of a live one the snapshot, or 0 for what is not looked up: that
 * is in a list and has no node yet; else 1.
 */
enum synthetic_row {
	ROW_TOP,
	ROW_ROOTFS, /* stands for the merged root; itself seen only when that is broken */
	ROW_FILES,
	ROW_FILE, /* a blob of an artifact, by its title */
	ROW_CONFIG,
	ROW_MANIFEST,
	ROW_INDEX,
	ROW_INSPECT,
	ROW_HISTORY,
	ROW_DOCKERFILE,
	ROW_LAYERS,
	ROW_LAYER, /* stands for a layer's root; itself seen only when that is broken */
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
	ROW_OCI_LAYER, /* parameter: which of view->own, from 1 */
	ROW_OCI_OTHER,
	ROW_PEELFS,
	ROW_STATUS,
	N_ROWS,
};

/* 0 or -ENOMEM. Once, with the layers loaded. */
int synthetic_load(struct view *v);
/* What synthetic_load() made, also by halves. */
void synthetic_release(struct view *v);

int synthetic_describe(struct view *v, const struct node *n, struct item *out);
/* The row of a name in a directory; -ENOENT. *out is its node. */
int synthetic_find(struct view *v, const struct node *dir, const char *name,
		   struct node *out);
/*
 * The next row in a directory after *@cookie (0 to begin), which is moved on; @name has
 * NAME_MAX + 1 bytes. False at the end.
 */
bool synthetic_next(struct view *v, const struct node *dir, uint64_t *cookie, char *name,
		    struct node *out);
/* The directory around one; the top's is the top. */
void synthetic_parent(const struct node *n, struct node *out);
/* A blob may be waited for. Errnos to be seen. */
ssize_t synthetic_read(struct view *v, const struct node *n, void *buf, size_t size,
		       uint64_t off, struct waiter *w);
/* The directory around an image that is not the top of the mount; @v need not be pinned. */
void synthetic_around(const struct view *v, const struct node *n, struct item *out);
/*
 * Names that are asked of the network when they are needed: for a list, or because a name
 * was not found. Errnos to be seen.
 */
int synthetic_need(struct view *v, const struct node *dir, struct waiter *w);
/*
 * The top of an image that is not the top of the mount: what is known without loading it.
 * The view need not be pinned.
 */
void synthetic_top(const struct view *v, struct item *out);

#endif
