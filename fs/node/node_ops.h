/* SPDX-License-Identifier: MIT */
/*
 * What a kind of node is: a table of operations, implemented once for each kind, in a
 * source of its own. nodes.c finds the kind of a node, pins what it needs and calls them.
 *
 * All operations: any thread; errnos for a program.
 */
#ifndef FS_NODE_NODE_OPS_H
#define FS_NODE_NODE_OPS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/tree/node.h"

struct attributes;
struct context;
struct image_store;
struct images;
struct item;
struct layers;
struct listing;
struct merged_dir;
struct mount_layer;
struct name;
struct namespace;
struct snapshots;
struct view;
struct waiter;

/* The tree of the mount. Does not change once it is served. */
struct nodes {
	struct context *context;
	struct layers *layers;
	struct images *images;
	struct snapshots *snapshots;
	struct namespace *namespace; /* NULL: images are mounted */
	struct image_list *list;     /* those of layout=store and layout=erofs; or NULL */
	struct image_store *image_store; /* NULL, unless layout=store */
};

/* A node with what it needs, pinned. */
struct located {
	const struct nodes *nodes;
	const struct node_ops *ops;
	uint64_t id;
	struct node node;
	bool is_root; /* of a merged tree or a layer: its id is that of a row, or the top */
	bool for_contents; /* pin() is to load what its contents and its size need */
	struct name *name; /* NULL if the node is no name, or .peelfs */
	struct view *view; /* NULL if the kind needs no image */
	struct mount_layer *layer; /* NULL if the kind needs no layer */
	uint32_t
		root; /* of a directory of a layer: the entry that is shown as its root */
};

/* A directory being listed. */
struct node_list {
	struct located at;
	uint64_t cookie;	 /* of the last name, as node_ops.next() counts */
	struct merged_dir *dir;	 /* of merged.c */
	struct listing *listing; /* of merged.c; NULL before the first name */
	char name[NAME_MAX + 1];
};

/* Where the xattrs of a node begin in the index of a layer. */
struct xattr_run {
	struct mount_layer *layer;
	uint64_t pos;	/* 0: there are none */
	bool is_opaque; /* it has those of overlay_opaque_xattrs[], too */
};

struct node_ops {
	/*
	 * Describes a node without pinning anything. False: pin() it first. NULL: so are
	 * all of the kind.
	 */
	bool (*glance)(const struct nodes *n, const struct node *node, struct item *out);
	/* Sets and pins view or layer. NULL: the kind needs neither. May wait. */
	int (*pin)(struct located *at, struct waiter *w);
	int (*describe)(const struct located *at, struct item *out);
	/*
	 * Describes a root, whose row is @row of @v; only @v is pinned. What is not loaded yet
	 * is described provisionally.
	 */
	int (*describe_root)(const struct nodes *n, struct view *v,
			     const struct node *row, struct item *out);
	/* Whether pin() would not have to wait for a root, whose view is pinned. */
	bool (*is_root_loaded)(const struct located *at);

	/* Of directories; NULL: -ENOTDIR. May wait. */
	int (*lookup)(const struct located *at, const char *name, struct waiter *w,
		      struct item *out);
	/* Prepares a list that goes on after l->cookie. May wait. Also -ENOTDIR. */
	int (*list)(struct node_list *l, struct waiter *w);
	/* The next name into l->name. Moves l->cookie. 1, or 0 at the end. */
	int (*next)(struct node_list *l, struct item *out);
	/* The directory around it; that of the mount's top is the top. */
	int (*parent)(struct node_list *l, struct item *out);
	/* Also after list() failed. NULL: nothing to do. */
	void (*close)(struct node_list *l);

	/* Into @buf with a NUL; -ENAMETOOLONG. NULL: -EINVAL. May wait. */
	int (*readlink)(const struct located *at, char *buf, size_t size,
			struct waiter *w);
	/* As pread(2). NULL: -EISDIR. May wait. */
	ssize_t (*read)(const struct located *at, void *buf, size_t size, uint64_t off,
			struct waiter *w);
	/*
	 * The size of a regular file of one name whose bytes are in the store and verified;
	 * 0 if it is another kind of file, is empty, has holes or over @max bytes, or has
	 * to be fetched. Negative: the layer has no such entry, or its bytes are never
	 * verified in the store. NULL: -EINVAL.
	 */
	ssize_t (*stored_size)(const struct located *at, size_t max);
	/* SEEK_DATA or SEEK_HOLE of lseek(2). NULL: nodes of the kind have no holes. */
	off_t (*seek)(const struct located *at, off_t off, int whence);
	/* NULL: nodes of the kind have no xattrs. */
	int (*xattrs)(const struct located *at, struct xattr_run *out);
};

/* Each is in the source of that name. */
extern const struct node_ops diff_ids_ops, synthetic_ops, file_ops, merged_ops, raw_ops,
	name_ops, stored_ops;

/* What the kinds share: pins, failures, attributes of what an archive has. */

/* The kinds: enum node_kind, names of a namespace, and what an image store has around layers. */
#define NODE_NAME   4
#define NODE_STORED 5
#define NODE_KINDS  6

/* Unpacks a node id and tells its kind. */
unsigned located_kind(const struct nodes *n, uint64_t id, struct node *out);

/* For node_ops.pin: the image, layer or name of the node. -ESTALE, and as view_pin(). */
int located_pin_view(struct located *at, struct waiter *w);
int located_pin_layer(struct located *at, struct waiter *w);
int located_pin_name(struct located *at, struct waiter *w);
/* Unpins. Also if pinning failed. */
void located_release(struct located *at);

/* Counts and logs a damaged index; @l NULL: it is not known whose. An errno for a program. */
int located_index_failed(const struct nodes *n, struct mount_layer *l, int code);
/* The same for errors of the merge; -ENOENT stays. */
int located_merge_failed(const struct nodes *n, int code);
/*
 * The item of a root with the attributes of @real; NULL: they are not known, and are
 * provisional if @is_loading. Node, st_ino and ctime are those of @row of @v, so they stay
 * when the tree is loaded: find(1) and tar(1) would take the directory for another one.
 */
void located_root_item(const struct view *v, const struct node *row,
		       const struct item *real, bool is_loading, struct item *out);
/* Describes an entry of a layer, which is pinned, for a reply. 0, -EIO. */
int located_item(const struct nodes *n, const struct attributes *a, struct item *out);

#endif
