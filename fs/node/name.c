/* SPDX-License-Identifier: MIT */
/* Names of a namespace as nodes: hosts, parts of paths, tags, .peelfs at the top. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "fs/image/item.h"
#include "fs/image/status.h"
#include "fs/names/name_item.h"
#include "fs/names/name_lookup.h"
#include "fs/names/name_tree.h"
#include "fs/names/namespace.h"
#include "fs/names/refresh.h"
#include "fs/node/node_ops.h"

/* The name that a node stands for, or NULL. */
static struct name *name_of(const struct located *at, enum name_kind kind)
{
	return at->name && at->name->kind == kind ? at->name : NULL;
}

static int name_describe(const struct located *at, struct item *out)
{
	return name_item_describe(at->nodes->namespace, &at->node, out);
}

/* DIRECTORIES */

static int lookup_status(const struct nodes *n, const char *name, struct item *out)
{
	uint32_t number;
	int rc;

	if (strcmp(name, "status.json") != 0)
		return -ENOENT;
	rc = status_snapshot(n->snapshots, n->images, NULL, &number);
	return rc < 0 ? rc : name_item_status(n->namespace, number, out);
}

static int name_node_lookup(const struct located *at, const char *name, struct waiter *w,
			    struct item *out)
{
	struct name *dir = name_of(at, NAME_DIR);

	memset(out, 0, sizeof(*out));
	if (at->node.layer == NAME_ROW_PEELFS)
		return lookup_status(at->nodes, name, out);
	return dir ? name_lookup(at->nodes->namespace, dir, name, w, out) : -ENOTDIR;
}

/* The rest of a list that was begun is not refreshed. */
static int name_list(struct node_list *l, struct waiter *w)
{
	struct name *dir = name_of(&l->at, NAME_DIR);

	if (l->cookie > 0 || !dir || dir->dir.depth == 0)
		return 0;
	return refresh_list(l->at.nodes->namespace, dir, w);
}

/* Cookies are numbers of names. That of the top is free for .peelfs, which comes first. */
static int name_next(struct node_list *l, struct item *out)
{
	struct namespace *ns = l->at.nodes->namespace;
	struct name *dir = name_of(&l->at, NAME_DIR), *n;

	if (!dir) {
		strcpy(l->name, "status.json");
		return l->cookie++ == 0 && name_item_status(ns, 0, out) == 0;
	}
	if (l->cookie == 0 && dir->number == NAME_TOP) {
		l->cookie = NAME_TOP;
		strcpy(l->name, ".peelfs");
		name_item_peelfs(ns, out);
		return 1;
	}
	pthread_mutex_lock(&ns->tree->lock);
	n = name_tree_next(ns->tree, dir, (uint32_t)l->cookie);
	if (n) {
		l->cookie = n->number;
		snprintf(l->name, sizeof(l->name), "%s", n->text);
		if (n->kind == NAME_DIR)
			name_item_dir(ns, n, out);
		else
			name_item_tag(ns, n, NAME_ROW_TAG, out);
	}
	pthread_mutex_unlock(&ns->tree->lock);
	return n != NULL;
}

static int name_parent(struct node_list *l, struct item *out)
{
	struct name *dir = name_of(&l->at, NAME_DIR);
	struct node parent = {.layer = NAME_ROW_DIR, .entry = NAME_TOP};

	if (dir && dir->parent)
		parent.entry = dir->parent;
	return name_item_describe(l->at.nodes->namespace, &parent, out);
}

/* CONTENTS */

/* The digest of a tag, if it is known and recent. @stale: or not recent. */
static bool known_digest(struct name_tree *t, struct name *tag, bool stale, char *digest)
{
	struct name *dir = name_tree_get(t, tag->parent);
	bool is;

	pthread_mutex_lock(&t->lock);
	is = tag->tag.resolved_at &&
	     (stale ||
	      (tag->tag.has_digest && name_tree_holds(t, dir, tag->tag.resolved_at)));
	if (is)
		digest_format(&tag->tag.digest, digest);
	pthread_mutex_unlock(&t->lock);
	return is;
}

static int name_readlink(const struct located *at, char *buf, size_t size,
			 struct waiter *w)
{
	struct namespace *ns = at->nodes->namespace;
	struct name *tag = name_of(at, NAME_TAG);
	char digest[DIGEST_TEXT_MAX];
	const struct name *dir;
	int rc;

	if (!tag)
		return -EINVAL;
	if (!known_digest(ns->tree, tag, false, digest)) {
		rc = refresh_tag(ns, tag, w);
		if (rc < 0 && rc != -EIO)
			return rc;
		/* Without the network the last known digest serves. */
		if (!known_digest(ns->tree, tag, true, digest))
			return -EIO;
	}
	dir = name_tree_get(ns->tree, tag->parent);
	rc = snprintf(buf, size, "%s%s@%s",
		      dir->parent && at->node.layer == NAME_ROW_TAG ? "../" : "",
		      dir->parent ? dir->text : "", digest);
	return rc >= 0 && (size_t)rc < size ? 0 : -ENAMETOOLONG;
}

static ssize_t name_read(const struct located *at, void *buf, size_t size, uint64_t off,
			 struct waiter *w)
{
	(void)w;
	if (at->node.layer != NAME_ROW_STATUS)
		return -EISDIR;
	return snapshots_read(at->nodes->snapshots, at->node.entry, buf, size, off, NULL);
}

const struct node_ops name_ops = {
	.pin = located_pin_name,
	.describe = name_describe,
	.lookup = name_node_lookup,
	.list = name_list,
	.next = name_next,
	.parent = name_parent,
	.readlink = name_readlink,
	.read = name_read,
};
