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
#include "fs/tree/listing.h"
#include "fs/tree/merge.h"
#include "fs/image/context.h"
#include "fs/names/namespace.h"
#include "fs/tree/node.h"
#include "fs/options/options.h"
#include "fs/node/raw.h"
#include "fs/node/synthetic.h"
#include "tar/layer.h"

/* ATTRIBUTES */

static int fill_attr(const struct index *ix, const struct entry *e, struct stat *st)
{
	uint64_t stored = e->size;
	int rc = 0;

	st->st_mode = e->mode;
	st->st_uid = e->uid;
	st->st_gid = e->gid;
	st->st_size = (off_t)e->size;
	st->st_rdev = makedev(e->rdev_major, e->rdev_minor);
	st->st_mtim.tv_sec = e->mtime;
	st->st_mtim.tv_nsec = e->mtime_ns;
	st->st_atim = st->st_ctim = st->st_mtim;
	if (e->flags & ENTRY_SPARSE)
		rc = index_stored(ix, e, &stored);
	st->st_blocks = S_ISREG(e->mode) ? (blkcnt_t)((stored + 511) / 512) : 0;
	return rc;
}

static int fill_item(struct mount *m, const struct attributes *s, struct item *out)
{
	struct mount_layer *l = s->is_described ? layers_get(m, s->mount_number) : NULL;
	uint32_t extra;
	int rc;

	memset(out, 0, sizeof(*out));
	out->node = s->node;
	out->attr.st_ino = s->ino;
	if (l) {
		rc = fill_attr(layer_index(l->layer), &s->entry, &out->attr);
		if (rc < 0)
			return index_failed(m, l, rc);
	} else {
		out->attr.st_mode = S_IFDIR | 0755;
	}
	out->attr.st_nlink = s->nlink;
	extra = s->is_dir ? 0 : mount_layer_extra(m, l, s->entry.id);
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
	struct attributes s = {0};
	int rc = merge_describe(merge, dir, &s);

	return rc < 0 ? merge_failed(m, rc) : fill_item(m, &s, out);
}

/* What raw.c found, or why not: the caller does not care which layer's index that was. */
static int describe_raw(struct mount *m, int rc, const struct attributes *s,
			struct item *out)
{
	if (rc == -EBADMSG)
		return index_failed(m, NULL, rc);
	return rc < 0 ? rc : fill_item(m, s, out);
}

static int describe_file(struct mount *m, uint64_t id, const struct located *p,
			 struct item *out)
{
	struct attributes s = {
		.node = id, .is_described = true, .mount_number = p->node.layer};
	const struct index *ix;
	uint64_t dir;
	int rc = located_file(p, &s.entry);

	if (rc != 0)
		return rc;
	s.nlink = s.entry.nlink;
	s.ino = node_ino(p->layer->seed, p->node.entry);
	if (m->options->ino == INO_CONTENT) {
		ix = layer_index(p->layer->layer);
		rc = identity_parent(ix, &s.entry, &dir);
		if (rc == 0)
			rc = identity_ino(ix, &s.entry, s.nlink, p->layer->seed, dir,
					  &s.ino);
	}
	return rc < 0 ? index_failed(m, p->layer, rc) : fill_item(m, &s, out);
}

static int describe(struct mount *m, uint64_t id, const struct located *p,
		    struct item *out)
{
	struct merged_dir *dir;
	struct attributes s;
	int rc;

	switch (p->node.kind) {
	case NODE_SYNTHETIC:
		return synthetic_describe(p->view, &p->node, out);
	case NODE_FILE:
		return describe_file(m, id, p, out);
	case NODE_MERGED:
		rc = located_dir(p, &dir);
		if (rc < 0)
			return rc;
		rc = describe_dir(m, p->merge, dir, out);
		merged_dir_unref(dir);
		return rc;
	case NODE_RAW:
		rc = raw_describe(p->view, &p->node, &s);
		return describe_raw(m, rc, &s, out);
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

int nodes_describe(struct mount *m, uint64_t id, struct waiter *w, struct item *out)
{
	struct located p;
	int rc;

	if (namespace_has(m, id))
		return namespace_describe(m, id, out);
	if (describe_top(m, id, out))
		return 0;
	rc = locate(m, id, w, &p);
	if (rc == 0)
		rc = describe(m, id, &p, out);
	located_release(&p);
	return rc;
}

/* NAMES */

/* The row of a synthetic directory as a node: a row may stand for another tree. */
static int describe_row(struct view *v, const struct node *row, struct item *out)
{
	struct mount *m = v->mount;
	struct merged_dir *dir;
	struct view *other;
	struct node root;
	struct attributes s;
	int rc;

	if (row->layer == ROW_LAYER && v->layers[row->entry - 1]->loaded == 0) {
		raw_root(v, row->entry - 1, &root);
		rc = raw_describe(v, &root, &s);
		return describe_raw(m, rc, &s, out);
	}
	if (row->layer == ROW_PLATFORM || row->layer == ROW_REFERRER) {
		rc = row->layer == ROW_PLATFORM
			     ? view_platform(v, row->entry - 1, &other)
			     : referrers_view(v, row->entry - 1, &other);
		if (rc == 0)
			synthetic_top(other, out);
		return rc;
	}
	if (row->layer != ROW_ROOTFS || !v->merge)
		return synthetic_describe(v, row, out);
	rc = merge_root(v->merge, &dir);
	if (rc < 0)
		return merge_failed(m, rc);
	rc = describe_dir(m, v->merge, dir, out);
	merged_dir_unref(dir);
	return rc;
}

static int lookup_merged(const struct located *p, const char *name, struct item *out)
{
	struct merged_dir *dir;
	struct attributes s;
	int rc;

	rc = located_dir(p, &dir);
	if (rc < 0)
		return rc;
	rc = merge_lookup(p->merge, dir, name, strlen(name), &s);
	rc = rc < 0 ? merge_failed(p->mount, rc) : fill_item(p->mount, &s, out);
	merged_dir_unref(dir);
	return rc;
}

static int lookup_raw(const struct located *p, const char *name, struct item *out)
{
	struct attributes s;
	int rc = raw_lookup(p->view, &p->node, name, &s);

	return describe_raw(p->mount, rc, &s, out);
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
	int rc;

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
	rc = synthetic_find(p->view, &p->node, name, &row);
	if (rc == -ENOENT) {
		rc = synthetic_need(p->view, &p->node, w);
		if (rc == 0)
			rc = synthetic_find(p->view, &p->node, name, &row);
	}
	return rc < 0 ? rc : describe_row(p->view, &row, out);
}

int nodes_lookup(struct mount *m, uint64_t parent, const char *name, struct waiter *w,
		 struct item *out)
{
	struct located p;
	int rc;

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (namespace_has(m, parent))
		return namespace_lookup(m, parent, name, w, out);
	rc = locate(m, parent, w, &p);
	if (rc == 0)
		rc = lookup(&p, name, w, out);
	located_release(&p);
	return rc;
}

/* LISTS */

struct nodes_list {
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
static int find_dir(struct nodes_list *l, struct waiter *w)
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

int nodes_list_open(struct mount *m, uint64_t node, uint64_t cookie, struct waiter *w,
		    struct nodes_list **out)
{
	struct nodes_list *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return -ENOMEM;
	l->m = m;
	l->cookie = cookie;
	l->node = node;
	l->is_names = namespace_has(m, node);
	if (l->is_names)
		rc = cookie == 0 ? namespace_list(m, node, w) : 0;
	else
		rc = locate(m, node, w, &l->at);
	if (rc == 0 && !l->is_names)
		rc = find_dir(l, w);
	if (rc < 0)
		nodes_list_close(l);
	else
		*out = l;
	return rc;
}

void nodes_list_close(struct nodes_list *l)
{
	if (!l)
		return;
	listing_close(l->listing);
	merged_dir_unref(l->dir);
	located_release(&l->at);
	free(l);
}

/* Above a layer's root is layers/. */
static int describe_raw_parent(struct nodes_list *l, struct item *out)
{
	struct node row = {.image = l->at.node.image, .layer = ROW_LAYERS, .entry = 1};
	struct attributes s;
	int rc;

	if (l->at.node.entry == 0)
		return synthetic_describe(l->at.view, &row, out);
	rc = raw_parent(l->at.view, &l->at.node, &s);
	return describe_raw(l->m, rc, &s, out);
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

static int describe_parent(struct nodes_list *l, struct item *out)
{
	struct node row = {.image = l->at.node.image, .layer = ROW_TOP, .entry = 1};
	struct merge *merge = l->at.merge;
	struct merged_dir *dir;
	int rc;

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
	rc = merge_parent(merge, l->dir, &dir);
	if (rc < 0)
		return merge_failed(l->m, rc);
	/* Above the merged root is the top, if that is not the root itself. */
	if (dir->node == l->dir->node && l->m->options->layout == LAYOUT_IMAGE)
		rc = synthetic_describe(l->at.view, &row, out);
	else
		rc = describe_dir(l->m, merge, dir, out);
	merged_dir_unref(dir);
	return rc;
}

static int next_merged(struct nodes_list *l, struct item *out)
{
	const char *name;
	struct attributes s;
	uint64_t after = l->cookie - N_DOTS;
	size_t len;
	int rc = 0;

	if (!l->listing)
		rc = listing_open(l->at.merge, l->dir, after, &l->listing);
	if (rc >= 0)
		rc = listing_next(l->listing, &name, &len, &s, &after);
	if (rc <= 0)
		return rc < 0 && rc != -EINVAL ? merge_failed(l->m, rc) : rc;
	rc = fill_item(l->m, &s, out);
	if (rc < 0)
		return rc;
	memcpy(l->name, name, len);
	l->name[len] = '\0';
	l->cookie = after + N_DOTS;
	return 1;
}

static int next_raw(struct nodes_list *l, struct item *out)
{
	uint64_t after = l->cookie - N_DOTS;
	struct attributes s;
	int rc = raw_next(l->at.view, &l->at.node, &after, l->name, &s);

	if (rc == 0)
		return 0;
	l->cookie = after + N_DOTS;
	rc = describe_raw(l->m, rc, &s, out);
	return rc < 0 ? rc : 1;
}

static int next_row(struct nodes_list *l, struct item *out)
{
	uint64_t after = l->cookie - N_DOTS;
	struct node node;
	int rc;

	if (!synthetic_next(l->at.view, &l->at.node, &after, l->name, &node))
		return 0;
	l->cookie = after + N_DOTS;
	rc = describe_row(l->at.view, &node, out);
	return rc < 0 ? rc : 1;
}

static int next_of_namespace(struct nodes_list *l, struct item *out)
{
	uint64_t after = l->cookie - N_DOTS;
	int rc = namespace_next(l->m, l->node, &after, l->name, out);

	l->cookie = after + N_DOTS;
	return rc;
}

static int next_name(struct nodes_list *l, struct item *out)
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
static int describe_self(struct nodes_list *l, struct item *out)
{
	struct attributes s;
	int rc;

	if (l->is_names)
		return namespace_describe(l->m, l->node, out);
	if (l->dir)
		return describe_dir(l->m, l->at.merge, l->dir, out);
	if (l->at.node.kind == NODE_SYNTHETIC)
		return synthetic_describe(l->at.view, &l->at.node, out);
	rc = raw_describe(l->at.view, &l->at.node, &s);
	return describe_raw(l->m, rc, &s, out);
}

int nodes_list_next(struct nodes_list *l, const char **name, struct item *out,
		    uint64_t *cookie)
{
	int rc;

	if (l->cookie < N_DOTS) {
		strcpy(l->name, l->cookie == 0 ? "." : "..");
		rc = l->cookie > 0 ? describe_parent(l, out) : describe_self(l, out);
		l->cookie++;
		rc = rc < 0 ? rc : 1;
	} else {
		rc = next_name(l, out);
	}
	*name = l->name;
	*cookie = l->cookie;
	return rc;
}

/* CONTENTS */

static int read_target(const struct located *p, char *buf, size_t size)
{
	struct entry e;
	int rc;

	if (p->node.kind != NODE_FILE)
		return -EINVAL;
	rc = located_file(p, &e);
	if (rc < 0)
		return rc;
	if (!S_ISLNK(e.mode))
		return -EINVAL;
	if (e.link_len >= size)
		return -ENAMETOOLONG;
	memcpy(buf, e.link, e.link_len);
	buf[e.link_len] = '\0';
	return 0;
}

int nodes_readlink(struct mount *m, uint64_t id, char *buf, size_t size, struct waiter *w)
{
	struct located p;
	int rc;

	if (namespace_has(m, id))
		return namespace_readlink(m, id, buf, size, w);
	rc = locate(m, id, w, &p);
	if (rc == 0)
		rc = read_target(&p, buf, size);
	located_release(&p);
	return rc;
}

static ssize_t read_file(const struct located *p, void *buf, size_t size, uint64_t off,
			 struct waiter *w)
{
	const bool *cancelled;
	struct entry e;
	ssize_t n;
	int rc;

	rc = located_file(p, &e);
	if (rc < 0)
		return rc;
	if (!S_ISREG(e.mode))
		return -EINVAL;
	cancelled = waiter_begin(w, p->layer->layer);
	n = content_read(p->mount, p->layer, &e, buf, size, off, cancelled);
	waiter_end(w);
	return n;
}

ssize_t nodes_read(struct mount *m, uint64_t id, void *buf, size_t size, uint64_t off,
		   struct waiter *w)
{
	struct located p;
	ssize_t rc;

	if (namespace_has(m, id))
		return namespace_read(m, id, buf, size, off);
	rc = locate(m, id, w, &p);
	if (rc == 0 && p.node.kind == NODE_FILE)
		rc = read_file(&p, buf, size, off, w);
	else if (rc == 0 && p.node.kind == NODE_SYNTHETIC)
		rc = synthetic_read(p.view, &p.node, buf, size, off, w);
	else if (rc == 0)
		rc = -EISDIR;
	located_release(&p);
	return rc;
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
	int rc;

	if (p->node.kind == NODE_FILE) {
		rc = located_file(p, &e);
		return rc < 0 ? rc : content_seek(p->mount, p->layer, &e, off, whence);
	}
	rc = describe(p->mount, id, p, &item);
	return rc != 0 ? rc : seek_plain(&item, off, whence);
}

off_t nodes_seek(struct mount *m, uint64_t id, off_t off, int whence, struct waiter *w)
{
	struct item item = {0};
	struct located p;
	off_t rc;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	if (namespace_has(m, id)) {
		rc = namespace_describe(m, id, &item);
		return rc < 0 ? rc : seek_plain(&item, off, whence);
	}
	rc = locate(m, id, w, &p);
	if (rc == 0)
		rc = seek(&p, id, off, whence);
	located_release(&p);
	return rc;
}
