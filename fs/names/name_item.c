/* SPDX-License-Identifier: MIT */
#include "fs/names/name_item.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/image/status.h"
#include "fs/names/name_tree.h"
#include "fs/names/namespace.h"
#include "fs/tree/identity.h"
#include "fs/tree/node.h"

/* An absent name may be pushed soon; a directory that was visited may be listed soon. */
#define SOON_SECONDS 2

uint64_t name_item_node(enum name_row row, uint32_t generation, uint32_t number)
{
	struct node n = {
		.image = generation % NODE_IMAGES_MAX, .layer = row, .entry = number};

	return node_pack(&n);
}

bool name_item_is_name(const struct node *n)
{
	return n->kind == NODE_SYNTHETIC &&
	       (n->image == 0 || n->layer >= NAME_ROW_PEELFS);
}

static void begin(const struct namespace *ns, uint64_t node, uint32_t mode, uint64_t ino,
		  struct item *out)
{
	memset(out, 0, sizeof(*out));
	out->node = node;
	out->attr.st_ino = node_ino_end(ino);
	out->attr.st_mode = mode;
	out->attr.st_nlink = 1;
	out->attr.st_uid = ns->context->uid;
	out->attr.st_gid = ns->context->gid;
}

static void set_time(struct item *out, struct timespec time)
{
	out->attr.st_mtim = out->attr.st_atim = out->attr.st_ctim = time;
}

static void expire(struct item *out, uint32_t seconds)
{
	out->expires = true;
	out->seconds = seconds;
}

static uint32_t soon(const struct name_tree *t)
{
	return t->ttl < SOON_SECONDS ? t->ttl : SOON_SECONDS;
}

/* For how many seconds an answer of that time still holds. */
static uint32_t remaining(const struct name_tree *t, uint32_t asked_at)
{
	uint32_t age = clock_seconds() - asked_at;

	return age < t->ttl ? t->ttl - age : 0;
}

void name_item_none(struct namespace *ns, struct item *out)
{
	memset(out, 0, sizeof(*out));
	expire(out, soon(ns->tree));
}

/*
 * The kernel caches a listing until the directory's time changes. So a directory whose
 * lists are too old gets a new time, and the kernel lists it again.
 */
void name_item_dir(struct namespace *ns, struct name *dir, struct item *out)
{
	struct name_tree *t = ns->tree;
	struct name *host = name_tree_host(t, dir);
	uint32_t seconds = soon(t);

	if (name_tree_is_listed(t, dir))
		seconds = remaining(t, dir->dir.listed_at);
	else if (dir->dir.is_listed)
		name_tree_touch(dir);
	else if (host && host->dir.has_catalog &&
		 !name_tree_holds(t, host, host->dir.catalog_at))
		name_tree_touch(dir);
	begin(ns, name_item_node(NAME_ROW_DIR, 0, dir->number), S_IFDIR | 0555,
	      dir->dir.ino, out);
	set_time(out, dir->dir.changed);
	expire(out, seconds);
}

static size_t target_length(enum name_row row, const struct name *dir)
{
	size_t digest = sizeof("@sha256:") - 1 + 64;

	if (!dir->parent)
		return digest;
	return strlen(dir->text) + digest + (row == NAME_ROW_TAG ? 3 : 0);
}

void name_item_tag(struct namespace *ns, struct name *tag, enum name_row row,
		   struct item *out)
{
	struct name_tree *t = ns->tree;
	struct name *dir = name_tree_get(t, tag->parent);
	uint64_t ino = identity_path(dir->dir.ino ^ row, tag->text, strlen(tag->text));
	uint32_t seconds = t->ttl;

	if (tag->tag.has_digest) {
		seconds = remaining(t, tag->tag.resolved_at);
		if (seconds == 0) {
			/* The kernel caches the old target with the old node. */
			tag->tag.generation++;
			tag->tag.has_digest = false;
			seconds = t->ttl;
		}
	}
	begin(ns, name_item_node(row, tag->tag.generation, tag->number), S_IFLNK | 0777,
	      ino, out);
	out->attr.st_size = (off_t)target_length(row, dir);
	set_time(out, (struct timespec){.tv_sec = tag->tag.seen});
	expire(out, seconds);
}

int name_item_status(struct namespace *ns, uint32_t number, struct item *out)
{
	uint64_t top = name_tree_get(ns->tree, NAME_TOP)->dir.ino;
	struct timespec now;
	size_t len = 0;

	if (number && snapshots_read(ns->snapshots, number, NULL, 0, 0, &len) < 0)
		return -ESTALE;
	now = clock_realtime();
	begin(ns, number ? name_item_node(NAME_ROW_STATUS, 0, number) : 0, S_IFREG | 0444,
	      identity_path(top, "status.json", 11), out);
	out->attr.st_size = (off_t)len;
	out->is_live = true;
	set_time(out, now);
	return 0;
}

void name_item_peelfs(struct namespace *ns, struct item *out)
{
	const struct name *top = name_tree_get(ns->tree, NAME_TOP);

	begin(ns, name_item_node(NAME_ROW_PEELFS, 0, 1), S_IFDIR | 0555,
	      identity_path(top->dir.ino, ".peelfs", 7), out);
}

int name_item_describe(struct namespace *ns, const struct node *node, struct item *out)
{
	struct name_tree *t = ns->tree;
	struct name *name;
	int rc = 0;

	if (node->layer == NAME_ROW_PEELFS) {
		name_item_peelfs(ns, out);
		return 0;
	}
	if (node->layer == NAME_ROW_STATUS)
		return name_item_status(ns, node->entry, out);
	pthread_mutex_lock(&t->lock);
	name = name_tree_get(t, node->entry);
	if (name && node->layer == NAME_ROW_DIR && name->kind == NAME_DIR)
		name_item_dir(ns, name, out);
	else if (name && node->layer >= NAME_ROW_TAG && name->kind == NAME_TAG)
		name_item_tag(ns, name, (enum name_row)node->layer, out);
	else
		rc = -ESTALE;
	pthread_mutex_unlock(&t->lock);
	/* The node that was asked for, even if lookups give out another one by now. */
	out->node = node_pack(node);
	return rc;
}

/* IMAGES */

/* The directory that shows the images of a repository: around it, or else itself. */
static const struct name *place_of(const struct name_tree *t, const struct name *dir)
{
	return dir->parent ? name_tree_get(t, dir->parent) : dir;
}

static char *image_path(const struct name_tree *t, const struct name *dir,
			const char *digest)
{
	const struct name *top = name_tree_get(t, NAME_TOP);
	char full[NAME_PATH_MAX], *out;
	size_t len;

	name_tree_path(t, dir, full);
	len = strlen(top->text);
	if (asprintf(&out, "/%s@%s", full + len + (full[len] == '/'), digest) < 0)
		return NULL;
	return out;
}

static int new_image(struct namespace *ns, struct name *dir, const char *digest,
		     struct image_source *source, struct view **out)
{
	struct view what = {.image_source = source};
	char path[NAME_PATH_MAX];
	int rc = digest_parse(digest, strlen(digest), &what.digest);

	if (rc < 0)
		return rc;
	what.around = name_item_node(NAME_ROW_DIR, 0, place_of(ns->tree, dir)->number);
	what.path = image_path(ns->tree, dir, digest);
	if (asprintf(&what.source, "%s@%s", name_tree_path(ns->tree, dir, path), digest) <
	    0)
		what.source = NULL;
	rc = what.path && what.source ? images_add(ns->images, &what, out) : -ENOMEM;
	if (rc < 0) {
		free(what.path);
		free(what.source);
	}
	return rc;
}

int name_image_add(struct namespace *ns, struct name *dir, const char *digest,
		   struct image_source *source)
{
	struct name_tree *t = ns->tree;
	struct view *v = NULL;
	struct name *image;
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = name_tree_add(t, dir, NAME_IMAGE, digest, strlen(digest), &image);
	if (rc == 0 && image->image == 0) {
		rc = new_image(ns, dir, digest, source, &v);
		if (rc == 0)
			image->image = v->number;
	}
	name_tree_show(t, dir);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

bool name_image_find(struct namespace *ns, struct name *dir, const char *digest,
		     struct item *out)
{
	struct name_tree *t = ns->tree;
	struct name *image;
	uint32_t number;

	pthread_mutex_lock(&t->lock);
	image = name_tree_find(t, dir, NAME_IMAGE, digest, strlen(digest));
	number = image ? image->image : 0;
	pthread_mutex_unlock(&t->lock);
	if (number)
		view_item_top(images_find(ns->images, number), out);
	return number != 0;
}
