/* SPDX-License-Identifier: MIT */
/*
 * The merged tree of one image: what a container started from it would see.
 *
 * Nothing is merged ahead. A directory is the ordered list of the layers that have a
 * say in it, found when it is first asked for, and a name is looked for from the
 * top of that list down. merge.c has the rules.
 *
 * The indexes are borrowed. All calls but new and free: any thread.
 */
#ifndef FS_TREE_MERGE_H
#define FS_TREE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/index/index.h"

struct merge;

struct merge_layer {
	const struct index *index;
	uint32_t slot; /* the layer's place in the mount */
	uint64_t seed; /* node_seed() of its digest */
	bool by_place; /* st_ino of files says where they are, not what */
};

/* An entry of a layer; layers are numbered from the base. */
struct place {
	uint32_t layer;
	uint32_t entry;
};

/* A directory of the tree. Never changes; counted. */
struct merged_dir {
	unsigned refs; /* atomic */
	uint64_t node;
	uint64_t ino;
	uint64_t path; /* identity_path() */
	bool is_described;
	struct place described_by; /* whose metadata are its own */
	size_t n;
	struct place contributors
		[]; /* from the top down; none only for the root of no layers */
};

/* What a name shows. */
struct attributes {
	uint64_t node;
	uint64_t ino;
	bool is_dir;
	/* else a directory that no layer referrers: 0755, root, time 0 */
	bool is_described;
	uint32_t layer; /* number of the layer that has the entry */
	uint32_t slot;
	struct entry entry; /* of a file: the one that holds the inode */
	uint32_t nlink;	    /* of a file: in its layer, and links from other layers */
};

/*
 * @layers: base first, at most NODE_LAYERS_MAX. Binds the hard links that lead out of
 * their layer. -ENOMEM, -EBADMSG for a damaged index.
 */
int merge_new(const struct merge_layer *layers, size_t n, uint32_t image,
	      struct merge **out);
/* NULL is fine. */
void merge_free(struct merge *m);

/* A layer's part in the st_ino of its directories: what else their contents depend on. */
uint64_t merge_dir_seed(const struct merge *m, size_t layer);

/* Hard links without a target, which are not shown. */
uint32_t merge_unbound(const struct merge *m);
/* The path of the i-th, in a buffer of @size bytes, cut if need be; the layer's number. */
int merge_unbound_path(const struct merge *m, uint32_t i, char *path, size_t size,
		       uint32_t *layer);
/* The @i-th inode that links of other layers add @n names to. False: there are no more. */
bool merge_target(const struct merge *m, uint32_t i, uint32_t *slot, uint32_t *inode,
		  uint32_t *n);

/*
 * The directory at the path of a directory entry of a layer: a node's, or any other.
 * 0, -ENOENT (no directory is shown there), -EBADMSG, -ENOMEM. The caller gives it
 * back with merged_dir_unref().
 */
int merge_dir(struct merge *m, struct place at, struct merged_dir **out);
int merge_root(struct merge *m, struct merged_dir **out);
/* The directory around @dir; the root's is the root. */
int merge_parent(struct merge *m, const struct merged_dir *dir, struct merged_dir **out);
/* NULL is fine. */
void merged_dir_unref(struct merged_dir *dir);

/* What is shown for the directory itself. */
int merge_describe(const struct merge *m, const struct merged_dir *dir,
		   struct attributes *out);
/* 0, -ENOENT, -EBADMSG, -ENOMEM. */
int merge_lookup(struct merge *m, const struct merged_dir *dir, const char *name,
		 size_t len, struct attributes *out);

/*
 * The names of a directory, in order of their bytes. A name's cookie is a small number
 * that stays good for ever: listing goes on after it, in any process.
 */
struct listing;

/* After @cookie, or from the start if it is 0. @dir must outlive it. */
int listing_open(struct merge *m, const struct merged_dir *dir, uint64_t cookie,
		 struct listing **out);
void listing_close(struct listing *l);
/* 1 and an item, whose name (not NUL-terminated) is borrowed from the index; 0; errors. */
int listing_next(struct listing *l, const char **name, size_t *len,
		 struct attributes *out, uint64_t *cookie);

#endif
