/* SPDX-License-Identifier: MIT */
#include "fs/views.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/content.h"
#include "fs/identity.h"
#include "fs/locate.h"
#include "fs/merge.h"
#include "fs/mount.h"
#include "fs/node.h"
#include "fs/options.h"
#include "fs/raw.h"
#include "fs/synthetic.h"
#include "tar/layer.h"

/* ATTRIBUTES */

static int fill_attr(const struct index *ix, const struct entry *e, struct stat *st)
{
	uint64_t stored = e->size;
	int r = 0;

	st->st_mode = e->mode;
	st->st_uid = e->uid;
	st->st_gid = e->gid;
	st->st_size = (off_t)e->size;
	st->st_rdev = makedev(e->rdev_major, e->rdev_minor);
	st->st_mtim.tv_sec = e->mtime;
	st->st_mtim.tv_nsec = e->mtime_ns;
	st->st_atim = st->st_ctim = st->st_mtim;
	if (e->flags & ENTRY_SPARSE)
		r = index_stored(ix, e, &stored);
	st->st_blocks = S_ISREG(e->mode) ? (blkcnt_t)((stored + 511) / 512) : 0;
	return r;
}

static int fill_item(struct mount *m, const struct shown *s, struct item *out)
{
	struct mount_layer *l = s->is_described ? mount_slot(m, s->slot) : NULL;
	int r;

	memset(out, 0, sizeof(*out));
	out->node = s->node;
	out->attr.st_ino = s->ino;
	if (l) {
		r = fill_attr(layer_index(l->layer), &s->entry, &out->attr);
		if (r < 0)
			return index_failed(m, l, r);
	} else {
		out->attr.st_mode = S_IFDIR | 0755;
	}
	out->attr.st_nlink = s->nlink;
	return 0;
}

static int describe_dir(struct mount *m, struct merge *merge,
			const struct merged_dir *dir, struct item *out)
{
	struct shown s = {0};
	int r = merge_describe(merge, dir, &s);

	return r < 0 ? merge_failed(m, r) : fill_item(m, &s, out);
}

/* What raw.c found, or why not: the caller does not care which layer's index that was. */
static int describe_raw(struct mount *m, int r, const struct shown *s, struct item *out)
{
	if (r == -EBADMSG)
		return index_failed(m, NULL, r);
	return r < 0 ? r : fill_item(m, s, out);
}

static int describe_file(struct mount *m, uint64_t id, const struct located *p,
			 struct item *out)
{
	struct shown s = {.node = id, .is_described = true, .slot = p->node.layer};
	const struct index *ix;
	uint64_t dir;
	int r = located_file(m, p, &s.entry);

	if (r != 0)
		return r;
	s.nlink = s.entry.nlink;
	if (m->view.merge)
		s.nlink += merge_extra_links(m->view.merge, p->node.layer, p->node.entry);
	s.ino = node_ino(p->layer->seed, p->node.entry);
	if (!m->options->ino_unique) {
		ix = layer_index(p->layer->layer);
		r = identity_parent(ix, &s.entry, &dir);
		if (r == 0)
			r = identity_ino(ix, &s.entry, s.nlink, p->layer->seed, dir,
					 &s.ino);
	}
	return r < 0 ? index_failed(m, p->layer, r) : fill_item(m, &s, out);
}

int views_describe(struct mount *m, uint64_t id, struct item *out)
{
	struct merged_dir *dir;
	struct located p;
	struct shown s;
	int r;

	locate(m, id, &p);
	switch (p.node.kind) {
	case NODE_SYNTHETIC:
		return synthetic_describe(m, &p.node, out);
	case NODE_FILE:
		return describe_file(m, id, &p, out);
	case NODE_MERGED:
		r = located_dir(m, &p, &dir);
		if (r < 0)
			return r;
		r = describe_dir(m, p.merge, dir, out);
		merged_dir_unref(dir);
		return r;
	case NODE_RAW:
		r = raw_describe(m, &p.node, &s);
		return describe_raw(m, r, &s, out);
	}
	return -ESTALE;
}

/* NAMES */

static bool is_whole_layer(struct mount *m, uint32_t number)
{
	return mount_slot(m, m->view.slots[number])->loaded == 0;
}

/* The row of a synthetic directory as a node: a row may stand for another tree. */
static int describe_row(struct mount *m, const struct node *row, struct item *out)
{
	struct merged_dir *dir;
	struct node root;
	struct shown s;
	int r;

	if (row->layer == ROW_LAYER && is_whole_layer(m, row->entry - 1)) {
		raw_root(row->entry - 1, &root);
		r = raw_describe(m, &root, &s);
		return describe_raw(m, r, &s, out);
	}
	if (row->layer != ROW_ROOTFS || !m->view.merge)
		return synthetic_describe(m, row, out);
	r = merge_root(m->view.merge, &dir);
	if (r < 0)
		return merge_failed(m, r);
	r = describe_dir(m, m->view.merge, dir, out);
	merged_dir_unref(dir);
	return r;
}

static int lookup_merged(struct mount *m, const struct located *p, const char *name,
			 struct item *out)
{
	struct merged_dir *dir;
	struct shown s;
	int r;

	r = located_dir(m, p, &dir);
	if (r < 0)
		return r;
	r = merge_lookup(p->merge, dir, name, strlen(name), &s);
	r = r < 0 ? merge_failed(m, r) : fill_item(m, &s, out);
	merged_dir_unref(dir);
	return r;
}

static int lookup_raw(struct mount *m, const struct located *p, const char *name,
		      struct item *out)
{
	struct shown s;
	int r = raw_lookup(m, &p->node, name, &s);

	return describe_raw(m, r, &s, out);
}

/* A row of its own where another tree should be: that is broken. */
static bool is_stand_in(const struct node *n)
{
	return n->kind == NODE_SYNTHETIC &&
	       (n->layer == ROW_ROOTFS || n->layer == ROW_LAYER);
}

int views_lookup(struct mount *m, uint64_t parent, const char *name, struct item *out)
{
	struct located p;
	struct node row;
	int r;

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	locate(m, parent, &p);
	if (p.node.kind == NODE_MERGED)
		return lookup_merged(m, &p, name, out);
	if (p.node.kind == NODE_RAW)
		return lookup_raw(m, &p, name, out);
	if (p.node.kind != NODE_SYNTHETIC)
		return -ENOTDIR;
	if (is_stand_in(&p.node))
		return -EIO;
	r = synthetic_find(m, &p.node, name, &row);
	return r < 0 ? r : describe_row(m, &row, out);
}

/* LISTS */

struct views_list {
	struct mount *m;
	struct located at;
	struct merged_dir *dir;	 /* of a merged directory */
	struct listing *listing; /* the same; NULL before the first name */
	uint64_t cookie;	 /* of the last name: 1 ".", 2 "..", then the others */
	char name[NAME_MAX + 1];
};

#define N_DOTS 2

int views_list_open(struct mount *m, uint64_t node, uint64_t cookie,
		    struct views_list **out)
{
	struct views_list *l = calloc(1, sizeof(*l));
	int r = 0;

	if (!l)
		return -ENOMEM;
	l->m = m;
	l->cookie = cookie;
	locate(m, node, &l->at);
	if (is_stand_in(&l->at.node))
		r = -EIO;
	else if (l->at.node.kind == NODE_MERGED)
		r = located_dir(m, &l->at, &l->dir);
	else if (l->at.node.kind == NODE_FILE)
		r = -ENOTDIR;
	if (r < 0)
		views_list_close(l);
	else
		*out = l;
	return r;
}

void views_list_close(struct views_list *l)
{
	if (!l)
		return;
	listing_close(l->listing);
	merged_dir_unref(l->dir);
	free(l);
}

/* Above a layer's root is layers/. */
static int describe_raw_parent(struct views_list *l, struct item *out)
{
	struct node row = {.kind = NODE_SYNTHETIC, .layer = ROW_LAYERS, .entry = 1};
	struct shown s;
	int r;

	if (l->at.node.entry == 0)
		return synthetic_describe(l->m, &row, out);
	r = raw_parent(l->m, &l->at.node, &s);
	return describe_raw(l->m, r, &s, out);
}

static int describe_parent(struct views_list *l, struct item *out)
{
	struct merge *merge = l->at.merge;
	struct merged_dir *dir;
	struct node row;
	int r;

	if (l->at.node.kind == NODE_RAW)
		return describe_raw_parent(l, out);

	if (l->at.node.kind == NODE_SYNTHETIC) {
		synthetic_parent(&l->at.node, &row);
		return synthetic_describe(l->m, &row, out);
	}
	r = merge_parent(merge, l->dir, &dir);
	if (r < 0)
		return merge_failed(l->m, r);
	/* Above the merged root is the top, if that is not the root itself. */
	if (dir->node == l->dir->node && l->m->options->layout == LAYOUT_IMAGE)
		r = views_describe(l->m, VIEWS_TOP, out);
	else
		r = describe_dir(l->m, merge, dir, out);
	merged_dir_unref(dir);
	return r;
}

static int next_merged(struct views_list *l, struct item *out)
{
	const char *name;
	struct shown s;
	uint64_t after = l->cookie - N_DOTS;
	size_t len;
	int r = 0;

	if (!l->listing)
		r = listing_open(l->at.merge, l->dir, after, &l->listing);
	if (r >= 0)
		r = listing_next(l->listing, &name, &len, &s, &after);
	if (r <= 0)
		return r < 0 && r != -EINVAL ? merge_failed(l->m, r) : r;
	r = fill_item(l->m, &s, out);
	if (r < 0)
		return r;
	memcpy(l->name, name, len);
	l->name[len] = '\0';
	l->cookie = after + N_DOTS;
	return 1;
}

static int next_raw(struct views_list *l, struct item *out)
{
	uint64_t after = l->cookie - N_DOTS;
	struct shown s;
	int r = raw_next(l->m, &l->at.node, &after, l->name, &s);

	if (r == 0)
		return 0;
	l->cookie = after + N_DOTS;
	r = describe_raw(l->m, r, &s, out);
	return r < 0 ? r : 1;
}

static int next_row(struct views_list *l, struct item *out)
{
	uint64_t after = l->cookie - N_DOTS;
	struct node node;
	int r;

	if (!synthetic_next(l->m, &l->at.node, &after, l->name, &node))
		return 0;
	l->cookie = after + N_DOTS;
	r = describe_row(l->m, &node, out);
	return r < 0 ? r : 1;
}

static int next_name(struct views_list *l, struct item *out)
{
	switch (l->at.node.kind) {
	case NODE_MERGED:
		return next_merged(l, out);
	case NODE_RAW:
		return next_raw(l, out);
	default:
		return next_row(l, out);
	}
}

/* The directory itself. */
static int describe_self(struct views_list *l, struct item *out)
{
	struct shown s;
	int r;

	if (l->dir)
		return describe_dir(l->m, l->at.merge, l->dir, out);
	if (l->at.node.kind == NODE_SYNTHETIC)
		return synthetic_describe(l->m, &l->at.node, out);
	r = raw_describe(l->m, &l->at.node, &s);
	return describe_raw(l->m, r, &s, out);
}

int views_list_next(struct views_list *l, const char **name, struct item *out,
		    uint64_t *cookie)
{
	int r;

	if (l->cookie < N_DOTS) {
		strcpy(l->name, l->cookie == 0 ? "." : "..");
		r = l->cookie > 0 ? describe_parent(l, out) : describe_self(l, out);
		l->cookie++;
		r = r < 0 ? r : 1;
	} else {
		r = next_name(l, out);
	}
	*name = l->name;
	*cookie = l->cookie;
	return r;
}

/* CONTENTS */

int views_readlink(struct mount *m, uint64_t id, char *buf, size_t size)
{
	struct located p;
	struct entry e;
	int r;

	locate(m, id, &p);
	if (p.node.kind != NODE_FILE)
		return -EINVAL;
	r = located_file(m, &p, &e);
	if (r < 0)
		return r;
	if (!S_ISLNK(e.mode))
		return -EINVAL;
	if (e.link_len >= size)
		return -ENAMETOOLONG;
	memcpy(buf, e.link, e.link_len);
	buf[e.link_len] = '\0';
	return 0;
}

ssize_t views_read(struct mount *m, uint64_t id, void *buf, size_t size, uint64_t off,
		   const bool *cancelled)
{
	struct located p;
	struct entry e;
	int r;

	locate(m, id, &p);
	if (p.node.kind == NODE_SYNTHETIC)
		return synthetic_read(m, &p.node, buf, size, off, cancelled);
	if (p.node.kind != NODE_FILE)
		return -EISDIR;
	r = located_file(m, &p, &e);
	if (r < 0)
		return r;
	if (!S_ISREG(e.mode))
		return -EINVAL;
	return content_read(m, p.layer, &e, buf, size, off, cancelled);
}

off_t views_seek(struct mount *m, uint64_t id, off_t off, int whence)
{
	struct located p;
	struct item item = {0};
	struct entry e;
	int r;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	locate(m, id, &p);
	if (p.node.kind == NODE_FILE) {
		r = located_file(m, &p, &e);
		return r < 0 ? r : content_seek(m, p.layer, &e, off, whence);
	}
	r = views_describe(m, id, &item);
	if (r != 0)
		return r;
	if (off < 0 || off >= item.attr.st_size)
		return -ENXIO;
	return whence == SEEK_DATA ? off : item.attr.st_size;
}

struct mount_layer *views_layer(struct mount *m, uint64_t id)
{
	struct located p;

	locate(m, id, &p);
	if (p.node.kind == NODE_SYNTHETIC)
		p.layer = synthetic_layer(m, &p.node);
	return p.layer && p.layer->layer ? p.layer : NULL;
}
