/* SPDX-License-Identifier: MIT */
/*
 * A mount that shows not one image but all that a registry, a part of one, or any registry
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
 * If a tag of NAME and a known directory below NAME have the same name, the directory is
 * listed and looked up: the tag can be reached as NAME:TAG, the repositories in no other
 * way.
 *
 * A tag may move. Its symlink expires, and gets a new node each time that it might lead
 * elsewhere, because the kernel caches symlinks by node. Open files keep their image, which
 * is known by its digest.
 */
#ifndef FS_NAMES_NAMESPACE_H
#define FS_NAMES_NAMESPACE_H

#include <stdbool.h>
#include <stddef.h>

struct context;
struct err;
struct images;
struct name;
struct name_tree;
struct snapshots;

struct namespace
{
	struct context *context;
	struct images *images;
	struct snapshots *snapshots;
	struct name_tree *tree; /* has a lock of its own */
};

/*
 * Parses @source; no network. The arguments must outlive it. -EINVAL and a sentence,
 * -ENOMEM.
 */
int namespace_new(const char *source, struct images *images, struct snapshots *snapshots,
		  struct namespace **out, struct err *e);
/* NULL is fine. All images must be unloaded. */
void namespace_free(struct namespace *ns);

/*
 * Writes the reference that the top of @source stands for, "", "HOST" or "HOST/PATH", to
 * @prefix, of NAME_PATH_MAX bytes or less. -EINVAL and a sentence: it is no namespace.
 */
int namespace_prefix(const char *source, char *prefix, size_t size, struct err *e);

/* Whether the first @len bytes are a registry host: localhost, or with a dot or a port. */
bool namespace_is_host(const char *text, size_t len);
/*
 * Whether "HOST/PATH" is on docker.io: that offers no catalog, and its repositories have
 * two components.
 */
bool namespace_is_hub(const char *path);
/*
 * Counts, notes and logs a failure to ask a registry about @text in @name (may be ""), unless
 * it is -ENOENT or -EINTR.
 */
void namespace_warn(struct namespace *ns, const struct name *name, const char *text,
		    int rc, const struct err *e);
/* Notes it for the status alone. */
void namespace_note(struct namespace *ns, const struct name *name, const char *text,
		    const struct err *e);

#endif
