/* SPDX-License-Identifier: MIT */
#include "fs/node/node_ops.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/image/layers.h"
#include "fs/imagestore/stored_item.h"
#include "fs/names/name_item.h"
#include "fs/names/name_tree.h"
#include "fs/names/namespace.h"
#include "fs/tree/merge.h"
#include "fs/tree/overlay.h"
#include "tar/layer.h"

unsigned located_kind(const struct nodes *n, uint64_t id, struct node *out)
{
	node_unpack(id, out);
	if (n->image_store && stored_item_is_stored(out))
		return NODE_STORED;
	return n->namespace && name_item_is_name(out) ? NODE_NAME : out->kind;
}

int located_pin_layer(struct located *at, struct waiter *w)
{
	struct mount_layer *l = layers_get(at->nodes->layers, at->node.layer);
	int rc = l ? mount_layer_pin(l, w) : -ESTALE;

	if (rc == 0)
		at->layer = l;
	return rc;
}

int located_pin_view(struct located *at, struct waiter *w)
{
	struct view *v = images_find(at->nodes->images, at->node.image);
	int rc = v ? view_pin(v, w) : -ESTALE;

	if (rc == 0)
		at->view = v;
	return rc;
}

int located_pin_name(struct located *at, struct waiter *w)
{
	unsigned row = at->node.layer;
	bool is_tag = row >= NAME_ROW_TAG;

	(void)w;
	if (row != NAME_ROW_DIR && !is_tag)
		return 0;
	at->name = name_tree_pin(at->nodes->namespace->tree, at->node.entry);
	return at->name && (at->name->kind == NAME_TAG) == is_tag ? 0 : -ESTALE;
}

void located_release(struct located *at)
{
	if (at->layer)
		mount_layer_unpin(at->layer);
	if (at->view)
		view_unpin(at->view);
	if (at->name)
		name_tree_unpin(at->nodes->namespace->tree, at->name);
}

int located_index_failed(const struct nodes *n, struct mount_layer *l, int code)
{
	return context_failed(n->context, l ? &l->failures : NULL, "", code,
			      "the index of a layer is damaged");
}

int located_merge_failed(const struct nodes *n, int code)
{
	return code == -ENOENT ? code : located_index_failed(n, NULL, code);
}

void located_root_item(const struct view *v, const struct node *row,
		       const struct item *real, bool is_loading, struct item *out)
{
	int64_t created = v->image->has_created ? v->image->created : 0;
	struct stat *st = &out->attr;

	view_item(v, node_pack(row), view_root_ino(v, row), created, S_IFDIR | 0755, 0,
		  out);
	st->st_uid = real ? real->attr.st_uid : 0;
	st->st_gid = real ? real->attr.st_gid : 0;
	out->is_provisional = !real && is_loading;
	if (real) {
		st->st_mode = real->attr.st_mode;
		st->st_mtim = real->attr.st_mtim;
		st->st_atim = real->attr.st_atim;
	} else if (!is_loading) {
		st->st_mode = S_IFDIR | 0555;
	}
}

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

/* Whether an image store shows the entry as a whiteout: always with the node of its name. */
static bool is_whiteout(const struct nodes *n, const struct attributes *a)
{
	return n->image_store && !a->is_dir && overlay_is_whiteout(&a->entry);
}

static void make_whiteout(struct stat *st)
{
	st->st_mode = S_IFCHR;
	st->st_rdev = 0;
	st->st_size = 0;
	st->st_blocks = 0;
	st->st_nlink = 1;
}

int located_item(const struct nodes *n, const struct attributes *a, struct item *out)
{
	struct mount_layer *l = a->is_described ? layers_get(n->layers, a->mount_number)
						: NULL;
	uint32_t extra;
	int rc;

	memset(out, 0, sizeof(*out));
	out->node = a->node;
	out->attr.st_ino = a->ino;
	if (l) {
		rc = fill_attr(layer_index(l->layer), &a->entry, &out->attr);
		if (rc < 0)
			return located_index_failed(n, l, rc);
	} else {
		out->attr.st_mode = S_IFDIR | 0755;
	}
	out->attr.st_nlink = a->nlink;
	if (l && is_whiteout(n, a)) {
		make_whiteout(&out->attr);
		return 0;
	}
	extra = a->is_dir ? 0 : mount_layer_extra(l, a->entry.id);
	if (extra) {
		/* As in every image that shows the file. */
		out->attr.st_nlink = a->entry.nlink + extra;
		out->attr.st_ino = node_ino(l->seed, a->entry.id);
	}
	return 0;
}
