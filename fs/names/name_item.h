/* SPDX-License-Identifier: MIT */
/*
 * The reply to the kernel about a name of a namespace: its node, its attributes, and for
 * how long they hold. No network; any thread.
 *
 * Node ids are those of synthetic rows of image 0, which a namespace does not have, and of
 * rows that no image has; a tag has its generation in place of an image.
 */
#ifndef FS_NAMES_NAME_ITEM_H
#define FS_NAMES_NAME_ITEM_H

#include <stdbool.h>
#include <stdint.h>

struct image_source;
struct item;
struct name;
struct namespace;
struct node;

enum name_row {
	NAME_ROW_DIR = 0, /* the top is node 1, as in any mount: number NAME_TOP */
	NAME_ROW_PEELFS = 1020,
	NAME_ROW_STATUS, /* entry: the snapshot */
	NAME_ROW_TAG,	 /* in its repository: ../NAME@DIGEST */
	NAME_ROW_TAGGED, /* NAME:TAG beside its repository: NAME@DIGEST */
};

uint64_t name_item_node(enum name_row row, uint32_t generation, uint32_t number);
/* Whether a node of a namespace's mount is a name, and not of an image. */
bool name_item_is_name(const struct node *node);

/* Under the tree's lock. If what is known is too old, a new node or time is given out. */
void name_item_dir(struct namespace *ns, struct name *dir, struct item *out);
void name_item_tag(struct namespace *ns, struct name *tag, enum name_row row,
		   struct item *out);
/* .peelfs at the top, and status.json in it: a snapshot, or 0 for a list. -ESTALE. */
void name_item_peelfs(struct namespace *ns, struct item *out);
int name_item_status(struct namespace *ns, uint32_t snapshot, struct item *out);
/* For how long a name is known to be absent. */
void name_item_none(struct namespace *ns, struct item *out);
/* Any node that is a name, as it is now. -ESTALE. */
int name_item_describe(struct namespace *ns, const struct node *node, struct item *out);

/*
 * Adds an image that exists to its repository @dir, and shows the repository. @source has
 * its blobs and must outlive the mount. 0, -ENOMEM, -ENOSPC, -EBADMSG for a bad digest.
 */
int name_image_add(struct namespace *ns, struct name *dir, const char *digest,
		   struct image_source *source);
/* The top directory of an image that was added; false if it was not. */
bool name_image_find(struct namespace *ns, struct name *dir, const char *digest,
		     struct item *out);

#endif
