/* SPDX-License-Identifier: MIT */
/*
 * From a node's id to what serves it, loaded and pinned. The inside of views.c and
 * xattrs.c.
 */
#ifndef FS_NODE_LOCATE_H
#define FS_NODE_LOCATE_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/tree/node.h"

struct entry;
struct merge;
struct merged_dir;
struct mount;
struct mount_layer;
struct view;
struct waiter;

struct located {
	struct mount *mount;
	struct node node;
	bool is_root;		   /* of the merged tree */
	struct view *view;	   /* of all but NODE_FILE */
	struct merge *merge;	   /* of NODE_MERGED; NULL: it cannot be shown */
	struct mount_layer *layer; /* of NODE_FILE */
};

/*
 * 0, -ESTALE for what is no node of ours, -EINTR, -EIO and other errnos to be seen. Give it
 * back with located_release().
 */
int locate(struct mount *m, uint64_t id, struct waiter *w, struct located *out);
/* Also of what locate() failed to find. */
void located_release(struct located *p);
/* The directory (the caller's, merged_dir_unref()) or the file's entry; errnos to be seen. */
int located_dir(const struct located *p, struct merged_dir **out);
int located_file(const struct located *p, struct entry *out);

/* Counts and logs a damaged index; the merge cannot say whose it was. Errnos to be seen. */
int index_failed(struct mount *m, struct mount_layer *l, int code);
int merge_failed(struct mount *m, int code);

#endif
