/* SPDX-License-Identifier: MIT */
/*
 * Directories of one layer as they are in its archive: nothing merged, whiteouts as the
 * files they are. Its files are the nodes of the merged tree; its directories are NODE_RAW:
 * image, number of the layer in it, entry. A broken layer has no such tree: -EIO.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/image/context.h"
#include "fs/image/layers.h"
#include "fs/options/options.h"
#include "fs/image/view.h"
#include "fs/node/node_ops.h"
#include "fs/node/rows.h"
#include "fs/tree/identity.h"
#include "fs/tree/match.h"
#include "fs/tree/merge.h"
#include "tar/layer.h"

/* The layer and the entry of a directory. -EIO: the layer is broken. */
static int raw_entry(struct view *v, const struct node *dir, struct mount_layer **l,
		     struct entry *e)
{
	int rc;

	if (dir->layer >= v->image->n_layers)
		return -ESTALE;
	*l = v->layers[dir->layer];
	if ((*l)->loaded < 0)
		return -EIO;
	rc = index_entry(layer_index((*l)->layer), dir->entry, e);
	if (rc == 0 && !S_ISDIR(e->mode))
		rc = -ESTALE;
	return rc == -ENOENT ? -ESTALE : rc;
}

/*
 * As in merge.c, the layers below count if hard links lead out of this one. While one of
 * them is broken, such links are missing, so this is another tree than that of any image.
 */
static uint64_t dir_seed(const struct view *v, const struct node *of,
			 const struct mount_layer *l)
{
	if (v->merge)
		return merge_dir_seed(v->merge, of->layer);
	if (index_info(layer_index(l->layer))->n_foreign == 0)
		return l->seed;
	return node_ino_add(node_seed(&v->image->manifest_descriptor.digest), l->seed, 0);
}

static void show_dir(const struct view *v, const struct node *of,
		     const struct mount_layer *l, const struct entry *e,
		     struct attributes *out)
{
	struct node node = *of;

	node.entry = e->id;
	*out = (struct attributes){
		.node = node_pack(&node),
		.ino = node_ino(dir_seed(v, of, l), e->id),
		.is_dir = true,
		.is_described = true,
		.layer = of->layer,
		.mount_number = v->layers[of->layer]->number,
		.entry = *e,
		.nlink = 1,
	};
}

/*
 * A hard link to a file of a lower layer is that file: one inode. Without a merge, because
 * another layer is broken, it leads nowhere.
 */
static int show_file(struct view *v, const struct node *of, const struct mount_layer *l,
		     const struct entry *e, struct attributes *out)
{
	struct match f;
	uint32_t number = v->layers[of->layer]->number;
	struct node node = {.kind = NODE_FILE, .layer = number, .entry = e->inode};
	const struct index *ix = layer_index(l->layer);
	uint64_t dir;
	int rc = identity_parent(ix, e, &dir);

	if (rc < 0)
		return rc;
	if (v->merge) {
		match_init(&f);
		f.is_described = true;
		f.layer = of->layer;
		f.entry = *e;
		return merge_attributes(v->merge, &f, dir, out);
	}
	if (e->flags & ENTRY_FOREIGN)
		return -ENOENT;
	*out = (struct attributes){
		.node = node_pack(&node),
		.ino = node_ino(l->seed, e->inode),
		.is_described = true,
		.layer = of->layer,
		.mount_number = number,
		.entry = *e,
	};
	if (e->inode != e->id)
		rc = index_entry(ix, e->inode, &out->entry);
	out->nlink = out->entry.nlink;
	if (rc == 0 && v->context->options->ino == INO_CONTENT)
		rc = identity_ino(ix, &out->entry, out->nlink, l->seed, dir, &out->ino);
	return rc == -ENOENT ? -EBADMSG : rc;
}

static int raw_show(struct view *v, const struct node *of, const struct mount_layer *l,
		    const struct entry *e, struct attributes *out)
{
	if (!S_ISDIR(e->mode))
		return show_file(v, of, l, e, out);
	show_dir(v, of, l, e, out);
	return 0;
}

/* The item, or the failure to find it. The layer whose index failed is not blamed. */
static int raw_item(const struct nodes *n, int rc, const struct attributes *a,
		    struct item *out)
{
	if (rc == -EBADMSG)
		return located_index_failed(n, NULL, rc);
	return rc < 0 ? rc : located_item(n, a, out);
}

static int raw_describe_node(const struct nodes *n, struct view *v,
			     const struct node *dir, struct item *out)
{
	struct mount_layer *l;
	struct attributes a;
	struct entry e;
	int rc = raw_entry(v, dir, &l, &e);

	if (rc == 0)
		show_dir(v, dir, l, &e, &a);
	return raw_item(n, rc, &a, out);
}

static int raw_describe_root(const struct nodes *n, struct view *v, uint32_t number,
			     struct item *out)
{
	struct node root = {.kind = NODE_RAW, .image = v->number, .layer = number};

	return raw_describe_node(n, v, &root, out);
}

static int raw_describe(const struct located *at, struct item *out)
{
	return raw_describe_node(at->nodes, at->view, &at->node, out);
}

static int raw_lookup(const struct located *at, const char *name, struct waiter *w,
		      struct item *out)
{
	struct view *v = at->view;
	struct mount_layer *l;
	struct attributes a;
	struct entry e, child;
	int rc = raw_entry(v, &at->node, &l, &e);

	(void)w;
	if (rc == 0)
		rc = index_find(layer_index(l->layer), &e, name, strlen(name), &child);
	if (rc == 0)
		rc = raw_show(v, &at->node, l, &child, &a);
	return raw_item(at->nodes, rc, &a, out);
}

/* Nothing has to be ready for it; a failure is that of the first name. */
static int raw_list(struct node_list *list, struct waiter *w)
{
	(void)list;
	(void)w;
	return 0;
}

/* The next name after l->cookie, which is moved. 1 with a name, 0 at the end. */
static int next_name(struct node_list *list, struct attributes *out)
{
	struct view *v = list->at.view;
	struct mount_layer *l;
	struct entry e, child;
	int rc = raw_entry(v, &list->at.node, &l, &e);

	while (rc == 0 && list->cookie < e.n_children) {
		rc = index_entry(layer_index(l->layer),
				 e.first_child + (uint32_t)list->cookie, &child);
		if (rc < 0)
			return -EBADMSG;
		++list->cookie;
		if (child.name_len == 0 || child.name_len > NAME_MAX)
			continue;
		rc = raw_show(v, &list->at.node, l, &child, out);
		if (rc == 0) {
			memcpy(list->name, child.name, child.name_len);
			list->name[child.name_len] = '\0';
			return 1;
		}
		if (rc == -ENOENT)
			rc = 0;
	}
	return rc;
}

static int raw_next(struct node_list *l, struct item *out)
{
	struct attributes a;
	int rc = next_name(l, &a);

	if (rc == 0)
		return 0;
	rc = raw_item(l->at.nodes, rc, &a, out);
	return rc < 0 ? rc : 1;
}

/* Around the root of a layer is layers/. */
static int raw_parent(struct node_list *list, struct item *out)
{
	const struct located *at = &list->at;
	struct node row = {.image = at->node.image, .layer = ROW_LAYERS, .entry = 1};
	struct node parent = at->node;
	struct mount_layer *l;
	struct entry e;
	int rc;

	if (at->node.entry == 0)
		return rows_describe(at->nodes, at->view, &row, out);
	rc = raw_entry(at->view, &at->node, &l, &e);
	if (rc < 0)
		return raw_item(at->nodes, rc, NULL, out);
	parent.entry = e.parent;
	return raw_describe_node(at->nodes, at->view, &parent, out);
}

static int raw_xattrs(const struct located *at, struct xattr_run *out)
{
	struct mount_layer *l;
	struct entry e;
	int rc = raw_entry(at->view, &at->node, &l, &e);

	if (rc == -EBADMSG)
		return located_index_failed(at->nodes, NULL, rc);
	if (rc == 0)
		*out = (struct xattr_run){l, e.xattrs};
	return rc;
}

const struct node_ops raw_ops = {
	.pin = located_pin_view,
	.describe = raw_describe,
	.describe_root = raw_describe_root,
	.lookup = raw_lookup,
	.list = raw_list,
	.next = raw_next,
	.parent = raw_parent,
	.xattrs = raw_xattrs,
};
