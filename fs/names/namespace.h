/* SPDX-License-Identifier: MIT */
/*
 * A mount that is not one image but all that a registry, a part of one, or any registry
 * has:
 *
 *	HOST/PATH/NAME/			a repository, and what is below it
 *	HOST/PATH/NAME/TAG		a symlink to
 *	HOST/PATH/NAME@DIGEST/		the tree of one image
 *	HOST/PATH/NAME:TAG		another symlink to that
 *	.peelfs/status.json		at the top
 *
 * If the top itself is a repository, its images are @DIGEST in it.
 *
 * Where a tag of NAME is called as a directory that is known below it, the name is the
 * directory's, in lists and in lookups: the tag can be had as NAME:TAG, the repositories
 * there in no other way.
 *
 * A tag may move: its symlink expires, and has another node each time that it might lead
 * elsewhere, for the kernel keeps what it has read of a symlink. What is open keeps its
 * image, which is known by its digest.
 *
 * All calls: any thread. Errnos to be seen.
 */
#ifndef FS_NAMES_NAMESPACE_H
#define FS_NAMES_NAMESPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct err;
struct item;
struct mount;
struct name;
struct name_tree;
struct image_source;
struct waiter;

struct namespace
{
	struct name_tree *tree;
};

/* Asks no network. -EINVAL with a sentence. */
int namespace_new(struct mount *m, const char *source, struct namespace **out,
		  struct err *e);
/* NULL is fine. All images are gone. */
void namespace_free(struct namespace *ns);

/* Is it a node of the namespace, and not of an image in it? */
bool namespace_has(const struct mount *m, uint64_t node);
int namespace_describe(struct mount *m, uint64_t node, struct item *out);
/* Of -ENOENT, too, @out says how long it holds. */
int namespace_lookup(struct mount *m, uint64_t dir, const char *name, struct waiter *w,
		     struct item *out);
/* Makes ready what namespace_next() tells. */
int namespace_list(struct mount *m, uint64_t dir, struct waiter *w);
/*
 * The next name after *@cookie (0 to begin), which is moved on; @name has NAME_MAX + 1
 * bytes. 1 with a name, 0 at the end.
 */
int namespace_next(struct mount *m, uint64_t dir, uint64_t *cookie, char *name,
		   struct item *out);
/* The directory around one; the top's is the top. */
uint64_t namespace_parent(struct mount *m, uint64_t dir);
int namespace_readlink(struct mount *m, uint64_t node, char *buf, size_t size,
		       struct waiter *w);
ssize_t namespace_read(struct mount *m, uint64_t node, void *buf, size_t size,
		       uint64_t off);

/* The image of a repository by its digest, which is there. @o has its blobs. */
int namespace_add_image(struct mount *m, struct name *dir, const char *digest,
			struct image_source *o);

#endif
