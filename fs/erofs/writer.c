/* SPDX-License-Identifier: MIT */
/*
 * One walk in the order of find(1): a directory, its names in order, below each directory
 * before the next name. Contents get their blocks in this order, so that a program that reads
 * all files reads the image in order.
 *
 * A directory is listed once. Its files are laid down while it is listed, then the blocks
 * with their names, so that these can tell where the files are. The directories in it come
 * later; their nids are filled in then. Where contents begin is known at the end, so the
 * addresses of files are filled in last, from the rows that reading needs anyway.
 *
 * In memory are the names of the directories on the way down (32 bytes each; their text
 * stays in the index), the inodes with several names, and some pages of the two files.
 */
#include "fs/erofs/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/idmap.h"
#include "base/num.h"
#include "fs/erofs/dirents.h"
#include "fs/erofs/extents.h"
#include "fs/erofs/format.h"
#include "fs/erofs/metadata.h"
#include "fs/erofs/pages.h"
#include "fs/erofs/tree.h"

/* Its contents have their place. */
#define IS_PLACED (UINT64_C(1) << 32)

/* A directory on the way down. */
struct level {
	size_t first; /* in writer.children */
	size_t next;
	uint32_t nid;
};

struct writer {
	const struct erofs_tree *tree;
	const bool *cancelled;
	struct metadata meta;
	struct pages *extents;
	uint64_t n_extents, n_blocks;
	struct idmap linked; /* inodes with several names: the nid, and: */
	struct child *children;
	size_t n_children, first_child; /* the first of the directory that is listed */
	struct level *levels;
	size_t n_levels;
};

/* NAMES */

static bool is_sound_name(const struct writer *w, const char *name, size_t len)
{
	const struct child *last;

	if (len == 0 || len > EROFS_NAME_MAX || memchr(name, '/', len) ||
	    memchr(name, '\0', len) || (len <= 2 && memcmp(name, "..", len) == 0))
		return false;
	if (w->n_children == w->first_child)
		return true;
	last = &w->children[w->n_children - 1];
	return dirents_compare(last->name, last->len, name, len) < 0;
}

/* The first name of an inode lays it down. */
static int take_file(struct writer *w, const struct erofs_inode *inode, struct child *c)
{
	const uint64_t *known = NULL;
	int rc;

	if (c->type == DIRENT_REGULAR) {
		if (inode->size > INT64_MAX)
			return -EFBIG;
		c->place = inode->size;
		c->has_holes = inode->has_holes && inode->size > 0;
	}
	c->is_linked = inode->nlink > 1;
	if (c->is_linked)
		known = idmap_find(&w->linked, c->id);
	if (known) {
		c->nid = (uint32_t)*known;
		return 0;
	}
	rc = metadata_put_file(&w->meta, inode, c);
	if (rc == 0 && c->is_linked)
		rc = idmap_add(&w->linked, c->id, c->nid);
	return rc;
}

static int take_name(void *to, const char *name, size_t len,
		     const struct erofs_inode *inode)
{
	struct writer *w = to;
	struct child c = {.name = name,
			  .id = inode->id,
			  .len = (uint8_t)len,
			  .type = (uint8_t)dirents_type(inode->mode)};
	int rc;

	if (w->cancelled && __atomic_load_n(w->cancelled, __ATOMIC_RELAXED))
		return -EINTR;
	if (!c.type || !is_sound_name(w, name, len))
		return -EBADMSG;
	rc = c.type == DIRENT_DIRECTORY ? 0 : take_file(w, inode, &c);
	if (rc == 0)
		rc = array_grow(&w->children, w->n_children, sizeof(c));
	if (rc == 0)
		w->children[w->n_children++] = c;
	return rc;
}

/* DIRECTORIES */

/* Lays down the directory whose names were listed. @parent is 0 for the root. */
static int put_dir(struct writer *w, uint64_t id, uint32_t parent)
{
	struct dirents names = {.list = w->children + w->first_child,
				.n = w->n_children - w->first_child,
				.parent = parent};
	struct erofs_inode inode = {0};
	int rc = w->tree->describe(w->tree->arg, id, &inode);

	if (rc == 0)
		rc = metadata_put_dir(&w->meta, &inode, &names);
	if (rc == 0)
		w->levels[w->n_levels++] = (struct level){.first = w->first_child,
							  .next = w->first_child,
							  .nid = names.self};
	return rc;
}

static int enter_dir(struct writer *w, uint64_t id, uint32_t parent)
{
	int rc = array_grow(&w->levels, w->n_levels, sizeof(*w->levels));

	if (rc == 0) /* an empty directory needs an array, too */
		rc = array_grow(&w->children, w->n_children, sizeof(*w->children));
	w->first_child = w->n_children;
	if (rc == 0)
		rc = w->tree->list(w->tree->arg, id, take_name, w);
	return rc < 0 ? rc : put_dir(w, id, parent);
}

/* A directory in the one that was entered last; its name gets the nid. */
static int enter_child(struct writer *w, struct child c)
{
	int rc = enter_dir(w, c.id, w->levels[w->n_levels - 1].nid);

	return rc < 0 ? rc
		      : metadata_put_nid(&w->meta, &c, w->levels[w->n_levels - 1].nid);
}

/* CONTENTS */

/* Gives the next blocks to @len bytes of a file. */
static int add_extent(struct writer *w, uint64_t id, uint64_t off, uint64_t len,
		      uint64_t address)
{
	struct extent e = {.id = id,
			   .off = off,
			   .block = (uint32_t)w->n_blocks,
			   .slot = (uint32_t)(address / 4)};

	w->n_blocks += len / EROFS_BLOCK + (len % EROFS_BLOCK > 0);
	if (w->n_blocks > UINT32_MAX)
		return -EFBIG;
	return pages_put(w->extents, w->n_extents++ * sizeof(e), &e, sizeof(e));
}

/* What is no hole. */
static int add_file(struct writer *w, const struct child *c)
{
	struct addresses to;
	uint64_t i, off = 0, len;
	bool is_hole = false;
	int rc = metadata_addresses(&w->meta, c, &to);

	for (i = 0; rc == 0 && i < to.n; i++, to.at += 4, off += len) {
		len = c->place - off < to.each ? c->place - off : to.each;
		if (c->has_holes)
			rc = metadata_is_hole(&w->meta, to.at, &is_hole);
		if (rc == 0 && !is_hole)
			rc = add_extent(w, c->id, off, len, to.at);
	}
	return rc;
}

/* Of a file with several names at the first one on the way. */
static int add_contents(struct writer *w, const struct child *c)
{
	uint64_t *linked = c->is_linked ? idmap_find(&w->linked, c->id) : NULL;

	if (c->place == 0 || (linked && (*linked & IS_PLACED)))
		return 0;
	if (linked)
		*linked |= IS_PLACED;
	return add_file(w, c);
}

/* THE WALK */

static int step(struct writer *w)
{
	struct level *l = &w->levels[w->n_levels - 1];
	const struct child *c;

	if (l->next == w->n_children) {
		w->n_children = l->first;
		w->n_levels--;
		return 0;
	}
	c = &w->children[l->next++];
	return c->type == DIRENT_DIRECTORY ? enter_child(w, *c) : add_contents(w, c);
}

static int walk(struct writer *w)
{
	const struct erofs_tree *t = w->tree;
	struct erofs_inode root = {0};
	int rc = t->describe(t->arg, t->root, &root);

	if (rc == 0)
		rc = metadata_reserve_root(&w->meta, &root);
	if (rc == 0)
		rc = enter_dir(w, t->root, 0);
	while (rc == 0 && w->n_levels > 0)
		rc = step(w);
	return rc;
}

/* Tells every file where its contents are. */
static int fill_addresses(struct writer *w, uint64_t first)
{
	struct extent e;
	uint64_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < w->n_extents; i++) {
		rc = pages_get(w->extents, i * sizeof(e), &e, sizeof(e));
		if (rc == 0)
			rc = metadata_put_address(&w->meta, (uint64_t)e.slot * 4,
						  (uint32_t)(first + e.block));
	}
	return rc;
}

static int finish(struct writer *w, const uint8_t *uuid, struct erofs_written *out)
{
	uint64_t first = round_up(w->meta.at, EROFS_BLOCK) / EROFS_BLOCK;
	uint64_t all = first + w->n_blocks;
	int rc = all > UINT32_MAX ? -EFBIG : fill_addresses(w, first);

	if (rc == 0)
		rc = metadata_finish(&w->meta, uuid, (uint32_t)all);
	if (rc == 0)
		rc = pages_flush(w->extents);
	if (rc == 0)
		*out = (struct erofs_written){.first = (uint32_t)first,
					      .blocks = (uint32_t)all,
					      .n_extents = w->n_extents,
					      .n_dropped = w->meta.n_dropped};
	return rc;
}

int writer_write(const struct erofs_tree *tree, const uint8_t uuid[EROFS_UUID_SIZE],
		 int meta, int extents, const bool *cancelled, struct erofs_written *out)
{
	struct writer w = {.tree = tree, .cancelled = cancelled};
	int rc = metadata_init(&w.meta, tree, meta);

	if (rc == 0)
		rc = pages_new(extents, &w.extents);
	if (rc == 0)
		rc = walk(&w);
	if (rc == 0)
		rc = finish(&w, uuid, out);
	metadata_release(&w.meta);
	pages_free(w.extents);
	idmap_release(&w.linked);
	free(w.children);
	free(w.levels);
	return rc;
}
