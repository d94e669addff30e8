/* SPDX-License-Identifier: MIT */
#include "fs/names/name_item.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fs/image/lazy.h"
#include "fs/tree/identity.h"
#include "fs/image/context.h"
#include "fs/names/namespace.h"
#include "fs/names/name_tree.h"
#include "fs/tree/node.h"
#include "fs/image/snapshots.h"
#include "fs/node/nodes.h"

/* What was not there may be pushed soon; what was only visited is listed soon. */
#define SOON_SECONDS 2

static struct name_tree *tree_of(const struct mount *m)
{
	return m->namespace->tree;
}

uint64_t name_item_node(enum name_row row, uint32_t generation, uint32_t number)
{
	struct node n = {
		.image = generation % NODE_IMAGES_MAX, .layer = row, .entry = number};

	return node_pack(&n);
}

static void begin(const struct mount *m, uint64_t node, uint32_t mode, uint64_t ino,
		  struct item *out)
{
	memset(out, 0, sizeof(*out));
	out->node = node;
	out->attr.st_ino = node_ino_end(ino);
	out->attr.st_mode = mode;
	out->attr.st_nlink = 1;
	out->attr.st_uid = m->uid;
	out->attr.st_gid = m->gid;
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

/* Seconds that what was asked at that time still holds. */
static uint32_t remaining(const struct name_tree *t, uint32_t asked_at)
{
	uint32_t age = lazy_clock() - asked_at;

	return age < t->ttl ? t->ttl - age : 0;
}

void name_item_none(struct mount *m, struct item *out)
{
	memset(out, 0, sizeof(*out));
	expire(out, soon(tree_of(m)));
}

/*
 * The kernel keeps a listing until the directory has another time: so one
 * whose lists are too old gets a new one, after which it is read anew.
 */
void name_item_dir(struct mount *m, struct name *dir, struct item *out)
{
	struct name_tree *t = tree_of(m);
	struct name *host = name_tree_host(t, dir);
	uint32_t seconds = soon(t);

	if (name_tree_is_listed(t, dir))
		seconds = remaining(t, dir->dir.listed_at);
	else if (dir->dir.is_listed)
		name_tree_touch(dir);
	else if (host && host->dir.has_catalog &&
		 !name_tree_holds(t, host->dir.catalog_at))
		name_tree_touch(dir);
	begin(m, name_item_node(NAME_ROW_DIR, 0, dir->number), S_IFDIR | 0555,
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

void name_item_tag(struct mount *m, struct name *tag, enum name_row row, struct item *out)
{
	struct name_tree *t = tree_of(m);
	struct name *dir = name_tree_get(t, tag->parent);
	uint64_t ino = identity_path(dir->dir.ino ^ row, tag->text, strlen(tag->text));
	uint32_t seconds = t->ttl;

	if (tag->tag.has_digest) {
		seconds = remaining(t, tag->tag.resolved_at);
		if (seconds == 0) {
			/* The kernel has read the old one, and keeps it with its node. */
			tag->tag.generation++;
			tag->tag.has_digest = false;
			seconds = t->ttl;
		}
	}
	begin(m, name_item_node(row, tag->tag.generation, tag->number), S_IFLNK | 0777,
	      ino, out);
	out->attr.st_size = (off_t)target_length(row, dir);
	set_time(out, (struct timespec){.tv_sec = tag->tag.seen});
	expire(out, seconds);
}

int name_item_status(struct mount *m, uint32_t number, struct item *out)
{
	uint64_t top = name_tree_get(tree_of(m), NAME_TOP)->dir.ino;
	struct timespec now;
	size_t len = 0;

	if (number && snapshot_read(m, number, NULL, 0, 0, &len) < 0)
		return -ESTALE;
	clock_gettime(CLOCK_REALTIME, &now);
	begin(m, number ? name_item_node(NAME_ROW_STATUS, 0, number) : 0, S_IFREG | 0444,
	      identity_path(top, "status.json", 11), out);
	out->attr.st_size = (off_t)len;
	out->is_live = true;
	set_time(out, now);
	return 0;
}

void name_item_peelfs(struct mount *m, struct item *out)
{
	const struct name *top = name_tree_get(tree_of(m), NAME_TOP);

	begin(m, name_item_node(NAME_ROW_PEELFS, 0, 1), S_IFDIR | 0555,
	      identity_path(top->dir.ino, ".peelfs", 7), out);
}
