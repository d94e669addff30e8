/* SPDX-License-Identifier: MIT */
/*
 * What is ours in the tree of an image: its documents, and the directories around
 * them. A table of rows; to show one more thing is to add a row.
 */
#ifndef FS_SYNTHETIC_H
#define FS_SYNTHETIC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/node.h"

struct item;
struct mount;

/*
 * node.layer is the row; node.entry a parameter, 1 for what has none, 0 for what is
 * live and not looked up: that is in a list and has no node yet.
 */
enum synthetic_row {
	ROW_TOP,
	ROW_ROOTFS, /* stands for the merged root; itself seen only when that is broken */
	ROW_CONFIG,
	ROW_MANIFEST,
	ROW_INDEX,
	ROW_PEELFS,
	ROW_STATUS,
	N_ROWS,
};

int synthetic_describe(struct mount *m, const struct node *n, struct item *out);
/* The row of a name in a directory; -ENOENT. *out is its node. */
int synthetic_find(struct mount *m, const struct node *dir, const char *name,
		   struct node *out);
/* The next row in a directory after *@row (-1 to begin); its name, or NULL at the end. */
const char *synthetic_next(struct mount *m, const struct node *dir, int *row,
			   struct node *out);
/* The directory around one; the top's is the top. */
void synthetic_parent(const struct node *n, struct node *out);
ssize_t synthetic_read(struct mount *m, const struct node *n, void *buf, size_t size,
		       uint64_t off);

#endif
