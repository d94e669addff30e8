/* SPDX-License-Identifier: MIT */
#include "fs/node/nodes.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/image/content.h"
#include "fs/tree/identity.h"
#include "fs/node/locate.h"
#include "fs/tree/merge.h"
#include "fs/image/context.h"
#include "fs/names/namespace.h"
#include "fs/tree/node.h"
#include "fs/image/options.h"
#include "fs/node/raw.h"
#include "fs/node/synthetic.h"
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
	struct mount_layer *l = s->is_described ? layers_slot(m, s->slot) : NULL;
	uint32_t extra;
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
	extra = s->is_dir ? 0 : layer_extra(m, l, s->entry.id);
	if (extra) {
		/* As in every image that shows it. */
		out->attr.st_nlink = s->entry.nlink + extra;
		out->attr.st_ino = node_ino(l->seed, s->entry.id);
	}
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
	int r = located_file(p, &s.entry);

	if (r != 0)
		return r;
	s.nlink = s.entry.nlink;
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

static int describe(struct mount *m, uint64_t id, const struct located *p,
		    struct item *out)
{
	struct merged_dir *dir;
	struct shown s;
	int r;

	switch (p->node.kind) {
	case NODE_SYNTHETIC:
		return synthetic_describe(p->view, &p->node, out);
	case NODE_FILE:
		return describe_file(m, id, p, out);
	case NODE_MERGED:
		r = located_dir(p, &dir);
		if (r < 0)
			return r;
		r = describe_dir(m, p->merge, dir, out);
		merged_dir_unref(dir);
		return r;
	case NODE_RAW:
		r = raw_describe(p->view, &p->node, &s);
		return describe_raw(m, r, &s, out);
	}
	return -ESTALE;
}

/* The top of an image is there before anything is known of what is in it. */
static bool describe_top(struct mount *m, uint64_t id, struct item *out)
{
	struct view *v;
	struct node n;

	node_unpack(id, &n);
	if (n.kind != NODE_SYNTHETIC || n.layer != ROW_TOP || n.image == 0)
		return false;
	v = images_find(m, n.image);
	if (v)
		synthetic_top(v, out);
	return v != NULL;
}

int views_describe(struct mount *m, uint64_t id, struct waiter *w, struct item *out)
{
	struct located p;
	int r;

	if (namespace_has(m, id))
		return namespace_describe(m, id, out);
	if (describe_top(m, id, out))
		return 0;
	r = locate(m, id, w, &p);
	if (r == 0)
		r = describe(m, id, &p, out);
	located_release(&p);
	return r;
}

/* NAMES */

/* The row of a synthetic directory as a node: a row may stand for another tree. */
static int describe_row(struct view *v, const struct node *row, struct item *out)
{
	struct mount *m = v->mount;
	struct merged_dir *dir;
	struct view *other;
	struct node root;
	struct shown s;
	int r;

	if (row->layer == ROW_LAYER && v->layers[row->entry - 1]->loaded == 0) {
		raw_root(v, row->entry - 1, &root);
		r = raw_describe(v, &root, &s);
		return describe_raw(m, r, &s, out);
	}
	if (row->layer == ROW_PLATFORM || row->layer == ROW_REFERRER) {
		r = row->layer == ROW_PLATFORM ? view_platform(v, row->entry - 1, &other)
					       : mentions_view(v, row->entry - 1, &other);
		if (r == 0)
			synthetic_top(other, out);
		return r;
	}
	if (row->layer != ROW_ROOTFS || !v->merge)
		return synthetic_describe(v, row, out);
	r = merge_root(v->merge, &dir);
	if (r < 0)
		return merge_failed(m, r);
	r = describe_dir(m, v->merge, dir, out);
	merged_dir_unref(dir);
	return r;
}

static int lookup_merged(const struct located *p, const char *name, struct item *out)
{
	struct merged_dir *dir;
	struct shown s;
	int r;

	r = located_dir(p, &dir);
	if (r < 0)
		return r;
	r = merge_lookup(p->merge, dir, name, strlen(name), &s);
	r = r < 0 ? merge_failed(p->mount, r) : fill_item(p->mount, &s, out);
	merged_dir_unref(dir);
	return r;
}

static int lookup_raw(const struct located *p, const char *name, struct item *out)
{
	struct shown s;
	int r = raw_lookup(p->view, &p->node, name, &s);

	return describe_raw(p->mount, r, &s, out);
}

/* A row of its own where another tree should be: that is broken. */
static bool is_stand_in(const struct node *n)
{
	return n->kind == NODE_SYNTHETIC &&
	       (n->layer == ROW_ROOTFS || n->layer == ROW_LAYER);
}

static int lookup(const struct located *p, const char *name, struct waiter *w,
		  struct item *out)
{
	struct node row;
	int r;

	switch (p->node.kind) {
	case NODE_MERGED:
		return lookup_merged(p, name, out);
	case NODE_RAW:
		return lookup_raw(p, name, out);
	case NODE_FILE:
		return -ENOTDIR;
	case NODE_SYNTHETIC:
		break;
	}
	if (is_stand_in(&p->node))
		return -EIO;
	r = synthetic_find(p->view, &p->node, name, &row);
	if (r == -ENOENT) {
		r = synthetic_need(p->view, &p->node, w);
		if (r == 0)
			r = synthetic_find(p->view, &p->node, name, &row);
	}
	return r < 0 ? r : describe_row(p->view, &row, out);
}

int views_lookup(struct mount *m, uint64_t parent, const char *name, struct waiter *w,
		 struct item *out)
{
	struct located p;
	int r;

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (namespace_has(m, parent))
		return namespace_lookup(m, parent, name, w, out);
	r = locate(m, parent, w, &p);
	if (r == 0)
		r = lookup(&p, name, w, out);
	located_release(&p);
	return r;
}

/* LISTS */

struct views_list {
	struct mount *m;
	uint64_t node;
	bool is_names; /* of the namespace: nothing is located */
	struct located at;
	struct merged_dir *dir;	 /* of a merged directory */
	struct listing *listing; /* the same; NULL before the first name */
	uint64_t cookie;	 /* of the last name: 1 ".", 2 "..", then the others */
	char name[NAME_MAX + 1];
};

#define N_DOTS 2

/* What is located, as a directory that can be listed. */
static int find_dir(struct views_list *l, struct waiter *w)
{
	switch (l->at.node.kind) {
	case NODE_MERGED:
		return located_dir(&l->at, &l->dir);
	case NODE_SYNTHETIC:
		if (is_stand_in(&l->at.node))
			return -EIO;
		return synthetic_need(l->at.view, &l->at.node, w);
	case NODE_FILE:
		return -ENOTDIR;
	case NODE_RAW:
		break;
	}
	return 0;
}

int views_list_open(struct mount *m, uint64_t node, uint64_t cookie, struct waiter *w,
		    struct views_list **out)
{
	struct views_list *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->m = m;
	l->cookie = cookie;
	l->node = node;
	l->is_names = namespace_has(m, node);
	if (l->is_names)
		r = cookie == 0 ? namespace_list(m, node, w) : 0;
	else
		r = locate(m, node, w, &l->at);
	if (r == 0 && !l->is_names)
		r = find_dir(l, w);
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
	located_release(&l->at);
	free(l);
}

/* Above a layer's root is layers/. */
static int describe_raw_parent(struct views_list *l, struct item *out)
{
	struct node row = {.image = l->at.node.image, .layer = ROW_LAYERS, .entry = 1};
	struct shown s;
	int r;

	if (l->at.node.entry == 0)
		return synthetic_describe(l->at.view, &row, out);
	r = raw_parent(l->at.view, &l->at.node, &s);
	return describe_raw(l->m, r, &s, out);
}

/* Above the top of an image that is in another directory. */
static int describe_around(const struct view *v, struct item *out)
{
	struct node n;

	if (namespace_has(v->mount, v->around))
		return namespace_describe(v->mount, v->around, out);
	node_unpack(v->around, &n);
	synthetic_around(images_find(v->mount, n.image), &n, out);
	return 0;
}

static int describe_parent(struct views_list *l, struct item *out)
{
	struct node row = {.image = l->at.node.image, .layer = ROW_TOP, .entry = 1};
	struct merge *merge = l->at.merge;
	struct merged_dir *dir;
	int r;

	if (l->is_names)
		return namespace_describe(l->m, namespace_parent(l->m, l->node), out);
	if (l->at.node.kind == NODE_RAW)
		return describe_raw_parent(l, out);

	if (l->at.node.kind == NODE_SYNTHETIC && l->at.node.layer == ROW_TOP &&
	    l->at.view->around) {
		return describe_around(l->at.view, out);
	}
	if (l->at.node.kind == NODE_SYNTHETIC) {
		synthetic_parent(&l->at.node, &row);
		return synthetic_describe(l->at.view, &row, out);
	}
	r = merge_parent(merge, l->dir, &dir);
	if (r < 0)
		return merge_failed(l->m, r);
	/* Above the merged root is the top, if that is not the root itself. */
	if (dir->node == l->dir->node && l->m->options->layout == LAYOUT_IMAGE)
		r = synthetic_describe(l->at.view, &row, out);
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
	int r = raw_next(l->at.view, &l->at.node, &after, l->name, &s);

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

	if (!synthetic_next(l->at.view, &l->at.node, &after, l->name, &node))
		return 0;
	l->cookie = after + N_DOTS;
	r = describe_row(l->at.view, &node, out);
	return r < 0 ? r : 1;
}

static int next_of_namespace(struct views_list *l, struct item *out)
{
	uint64_t after = l->cookie - N_DOTS;
	int r = namespace_next(l->m, l->node, &after, l->name, out);

	l->cookie = after + N_DOTS;
	return r;
}

static int next_name(struct views_list *l, struct item *out)
{
	if (l->is_names)
		return next_of_namespace(l, out);
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

	if (l->is_names)
		return namespace_describe(l->m, l->node, out);
	if (l->dir)
		return describe_dir(l->m, l->at.merge, l->dir, out);
	if (l->at.node.kind == NODE_SYNTHETIC)
		return synthetic_describe(l->at.view, &l->at.node, out);
	r = raw_describe(l->at.view, &l->at.node, &s);
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

static int read_target(const struct located *p, char *buf, size_t size)
{
	struct entry e;
	int r;

	if (p->node.kind != NODE_FILE)
		return -EINVAL;
	r = located_file(p, &e);
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

int views_readlink(struct mount *m, uint64_t id, char *buf, size_t size, struct waiter *w)
{
	struct located p;
	int r;

	if (namespace_has(m, id))
		return namespace_readlink(m, id, buf, size, w);
	r = locate(m, id, w, &p);
	if (r == 0)
		r = read_target(&p, buf, size);
	located_release(&p);
	return r;
}

static ssize_t read_file(const struct located *p, void *buf, size_t size, uint64_t off,
			 struct waiter *w)
{
	const bool *cancelled;
	struct entry e;
	ssize_t n;
	int r;

	r = located_file(p, &e);
	if (r < 0)
		return r;
	if (!S_ISREG(e.mode))
		return -EINVAL;
	cancelled = waiter_begin(w, p->layer->layer);
	n = content_read(p->mount, p->layer, &e, buf, size, off, cancelled);
	waiter_end(w);
	return n;
}

ssize_t views_read(struct mount *m, uint64_t id, void *buf, size_t size, uint64_t off,
		   struct waiter *w)
{
	struct located p;
	ssize_t r;

	if (namespace_has(m, id))
		return namespace_read(m, id, buf, size, off);
	r = locate(m, id, w, &p);
	if (r == 0 && p.node.kind == NODE_FILE)
		r = read_file(&p, buf, size, off, w);
	else if (r == 0 && p.node.kind == NODE_SYNTHETIC)
		r = synthetic_read(p.view, &p.node, buf, size, off, w);
	else if (r == 0)
		r = -EISDIR;
	located_release(&p);
	return r;
}

/* A hole there is none in, but at the end. */
static off_t seek_plain(const struct item *item, off_t off, int whence)
{
	if (off < 0 || off >= item->attr.st_size)
		return -ENXIO;
	return whence == SEEK_DATA ? off : item->attr.st_size;
}

static off_t seek(const struct located *p, uint64_t id, off_t off, int whence)
{
	struct item item = {0};
	struct entry e;
	int r;

	if (p->node.kind == NODE_FILE) {
		r = located_file(p, &e);
		return r < 0 ? r : content_seek(p->mount, p->layer, &e, off, whence);
	}
	r = describe(p->mount, id, p, &item);
	return r != 0 ? r : seek_plain(&item, off, whence);
}

off_t views_seek(struct mount *m, uint64_t id, off_t off, int whence, struct waiter *w)
{
	struct item item = {0};
	struct located p;
	off_t r;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	if (namespace_has(m, id)) {
		r = namespace_describe(m, id, &item);
		return r < 0 ? r : seek_plain(&item, off, whence);
	}
	r = locate(m, id, w, &p);
	if (r == 0)
		r = seek(&p, id, off, whence);
	located_release(&p);
	return r;
}
