/* SPDX-License-Identifier: MIT */
/*
 * What the kernel is told of a name of a namespace: its node, its attributes, and for how
 * long they hold. No network; errnos to be seen.
 *
 * Nodes are those of image 0, which there is none of, and of rows that no image has; a tag
 * has its generation in place of an image.
 */
#ifndef FS_NAMES_NAME_ITEM_H
#define FS_NAMES_NAME_ITEM_H

#include <stdint.h>

struct item;
struct mount;
struct name;

enum name_row {
	NAME_ROW_DIR =
		0, /* the top is node 1 of any mount: image 0, row 0, number NAME_TOP */
	NAME_ROW_PEELFS = 1020,
	NAME_ROW_STATUS, /* entry: the snapshot */
	NAME_ROW_TAG,	 /* in its repository: ../NAME@DIGEST */
	NAME_ROW_TAGGED, /* NAME:TAG beside its repository: NAME@DIGEST */
};

uint64_t name_item_node(enum name_row row, uint32_t generation, uint32_t number);

/* Both under the tree's lock; what is too old becomes another with this. */
void name_item_dir(struct mount *m, struct name *dir, struct item *out);
void name_item_tag(struct mount *m, struct name *tag, enum name_row row,
		   struct item *out);
/* .peelfs at the top, and the status.json in it: a snapshot, or 0 for a listing. -ESTALE. */
void name_item_peelfs(struct mount *m, struct item *out);
int name_item_status(struct mount *m, uint32_t snapshot, struct item *out);
/* What is not there: for how long. */
void name_item_none(struct mount *m, struct item *out);

#endif
