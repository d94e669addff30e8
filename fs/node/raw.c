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
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/imagestore/image_store.h"
#include "fs/imagestore/stored_item.h"
#include "fs/image/view.h"
#include "fs/node/node_ops.h"
#include "fs/node/rows.h"
#include "fs/text/blob_names.h"
#include "fs/tree/identity.h"
#include "fs/tree/match.h"
#include "fs/tree/merge.h"
#include "fs/tree/overlay.h"
#include "tar/layer.h"

/* A layer by its number in the image, or NULL. */
static struct mount_layer *layer_of(const struct view *v, uint32_t number)
{
	return number < v->layers.n_all ? v->layers.all[number] : NULL;
}

/* The layer and the entry of a directory. -EIO: the layer is broken. */
static int raw_entry(struct view *v, const struct node *dir, struct mount_layer **l,
		     struct entry *e)
{
	int rc;

	*l = layer_of(v, dir->layer);
	if (!*l)
		return -ESTALE;
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
	const struct merge *m = view_merge(v);

	if (m)
		return merge_dir_seed(m, of->layer);
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
		.mount_number = l->number,
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
	struct merge *m = view_merge(v);
	struct node node = {.kind = NODE_FILE, .layer = l->number, .entry = e->inode};
	const struct index *ix = layer_index(l->layer);
	uint64_t dir;
	int rc = identity_parent(ix, e, &dir);

	if (rc < 0)
		return rc;
	if (m) {
		match_init(&f);
		f.is_described = true;
		f.layer = of->layer;
		f.entry = *e;
		return merge_attributes(m, &f, dir, out);
	}
	if (e->flags & ENTRY_FOREIGN)
		return -ENOENT;
	*out = (struct attributes){
		.node = node_pack(&node),
		.ino = node_ino(l->seed, e->inode),
		.is_described = true,
		.layer = of->layer,
		.mount_number = l->number,
		.entry = *e,
	};
	if (e->inode != e->id)
		rc = index_entry(ix, e->inode, &out->entry);
	out->nlink = out->entry.nlink;
	if (rc == 0 && v->context->options->ino == INO_CONTENT)
		rc = identity_ino(ix, &out->entry, out->nlink, l->seed, dir, &out->ino);
	return rc == -ENOENT ? -EBADMSG : rc;
}

/* The node is that of the name, whatever else has the inode. */
static void show_whiteout(const struct node *of, const struct mount_layer *l,
			  const struct entry *e, struct attributes *out)
{
	struct node node = {.kind = NODE_FILE, .layer = l->number, .entry = e->id};

	*out = (struct attributes){
		.node = node_pack(&node),
		.ino = node_ino(l->seed, e->id),
		.is_described = true,
		.layer = of->layer,
		.mount_number = l->number,
		.entry = *e,
		.nlink = 1,
	};
}

static int raw_show(const struct located *at, const struct node *of,
		    const struct mount_layer *l, const struct entry *e,
		    struct attributes *out)
{
	if (at->nodes->image_store && overlay_is_whiteout(e))
		show_whiteout(of, l, e, out);
	else if (!S_ISDIR(e->mode))
		return show_file(at->view, of, l, e, out);
	else
		show_dir(at->view, of, l, e, out);
	return 0;
}

/* As overlay_name() and overlay_find(), or the names that the archive has. */
static int shown_name(const struct located *at, const struct index *ix,
		      const struct entry *dir, const struct entry *e, const char **name,
		      size_t *len)
{
	const struct image_store *s = at->nodes->image_store;

	*name = e->name;
	*len = e->name_len;
	if (!s)
		return *len > 0 && *len <= NAME_MAX;
	if (s->hides_devices && overlay_is_device(ix, e))
		return 0;
	return overlay_name(ix, dir, e, name, len);
}

static int find_shown(const struct located *at, const struct index *ix,
		      const struct entry *dir, const char *name, struct entry *out)
{
	const struct image_store *s = at->nodes->image_store;
	int rc;

	if (!s)
		return index_find(ix, dir, name, strlen(name), out);
	rc = overlay_find(ix, dir, name, strlen(name), out);
	return rc == 0 && s->hides_devices && overlay_is_device(ix, out) ? -ENOENT : rc;
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

/*
 * The entry that is shown as the root of a layer, which is open: the root of the archive. A
 * blob of an artifact has its directory under its title, unless others than ORAS packed it.
 * 0 or -EBADMSG.
 */
static int find_root(const struct view *v, uint32_t number, const struct mount_layer *l,
		     uint32_t *out)
{
	const struct index *ix = layer_index(l->layer);
	const char *part;
	struct entry e, child;
	size_t at = 0, len;
	int rc = 0;

	*out = 0;
	if (!v->image->is_artifact)
		return 0;
	rc = index_entry(ix, 0, &e);
	while (rc == 0 && (part = blob_next_part(&v->image->layers[number], &at, &len))) {
		rc = index_find(ix, &e, part, len, &child);
		if (rc == 0 && !S_ISDIR(child.mode))
			rc = -ENOENT;
		e = child;
	}
	if (rc == 0)
		*out = e.id;
	return rc == -ENOENT ? 0 : rc;
}

/* The node of a directory: that of a root is a row, whose parameter counts from 1. */
static struct node raw_dir(const struct located *at)
{
	struct node dir = at->node;

	if (at->is_root)
		dir = (struct node){.kind = NODE_RAW,
				    .image = at->node.image,
				    .layer = at->node.entry - 1,
				    .entry = at->root};
	return dir;
}

/* The layer, if it is known which it is. */
static struct mount_layer *known_layer(const struct view *v, const struct node *row)
{
	if (layer_list_count(&v->layers) == 0 || row->entry == 0)
		return NULL;
	return layer_of(v, row->entry - 1);
}

static int raw_describe_root(const struct nodes *n, struct view *v,
			     const struct node *row, struct item *out)
{
	struct node root = {
		.kind = NODE_RAW, .image = v->number, .layer = row->entry - 1};
	struct mount_layer *l = known_layer(v, row);
	bool is_open = l && lazy_pin(&l->lazy);
	struct item real;
	int rc = 0;

	if (n->image_store) {
		/* What engines unpack a layer into: they leave its own attributes alone. */
		located_root_item(v, row, NULL, false, out);
	} else if (is_open && l->loaded == 0) {
		rc = find_root(v, root.layer, l, &root.entry);
		rc = rc < 0 ? located_index_failed(n, l, rc)
			    : raw_describe_node(n, v, &root, &real);
		if (rc == 0)
			located_root_item(v, row, &real, false, out);
	} else {
		located_root_item(v, row, NULL, !is_open, out);
	}
	if (is_open)
		mount_layer_unpin(l);
	return rc;
}

static bool raw_is_root_loaded(const struct located *at)
{
	struct mount_layer *l = known_layer(at->view, &at->node);
	bool is = l && lazy_pin(&l->lazy);

	if (is)
		mount_layer_unpin(l);
	return is;
}

/* So many layers begin to be opened together with the one above them. */
#define OPEN_AHEAD 15

/*
 * overlayfs looks into the layers of a container one after the other, from the top down. The
 * lower ones are opened meanwhile.
 */
static void open_lower(const struct view *v, uint32_t number)
{
	struct waiter w = {.is_impatient = true};
	uint32_t n;

	for (n = 0; n < OPEN_AHEAD && number > 0; n++) {
		if (mount_layer_pin(v->layers.all[--number], &w) == 0)
			mount_layer_unpin(v->layers.all[number]);
	}
}

/* Opens the layer alone, unless it has hard links to files of lower ones. */
static int raw_pin(struct located *at, struct waiter *w)
{
	struct node dir = raw_dir(at);
	struct mount_layer *l;
	int rc = located_pin_view(at, w);

	if (rc == 0)
		rc = view_need_layers(at->view, w);
	if (rc < 0)
		return rc;
	l = layer_of(at->view, dir.layer);
	rc = l ? mount_layer_pin(l, w) : -ESTALE;
	if (rc == -EINTR && at->nodes->image_store)
		open_lower(at->view, dir.layer);
	if (rc < 0)
		return rc;
	at->layer = l;
	if (at->nodes->image_store)
		image_store_meet(at->nodes->image_store, at->node.image, dir.layer, l);
	if (l->loaded < 0)
		return 0;
	if (find_root(at->view, dir.layer, l, &at->root) < 0)
		return located_index_failed(at->nodes, l, -EBADMSG);
	return index_info(layer_index(l->layer))->n_foreign > 0
		       ? view_need_tree(at->view, w)
		       : 0;
}

static int raw_describe(const struct located *at, struct item *out)
{
	return raw_describe_node(at->nodes, at->view, &at->node, out);
}

static int raw_lookup(const struct located *at, const char *name, struct waiter *w,
		      struct item *out)
{
	struct view *v = at->view;
	struct node dir = raw_dir(at);
	struct mount_layer *l;
	struct attributes a;
	struct entry e, child;
	int rc = raw_entry(v, &dir, &l, &e);

	(void)w;
	if (rc == 0)
		rc = find_shown(at, layer_index(l->layer), &e, name, &child);
	if (rc == 0)
		rc = raw_show(at, &dir, l, &child, &a);
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
	struct node dir = raw_dir(&list->at);
	struct mount_layer *l;
	struct entry e, child;
	const char *name;
	size_t len;
	int rc = raw_entry(v, &dir, &l, &e);

	while (rc == 0 && list->cookie < e.n_children) {
		rc = index_entry(layer_index(l->layer),
				 e.first_child + (uint32_t)list->cookie, &child);
		if (rc < 0)
			return -EBADMSG;
		++list->cookie;
		rc = shown_name(&list->at, layer_index(l->layer), &e, &child, &name,
				&len);
		if (rc == 0)
			continue;
		if (rc == 1)
			rc = raw_show(&list->at, &dir, l, &child, out);
		if (rc == 0) {
			memcpy(list->name, name, len);
			list->name[len] = '\0';
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

static int raw_parent(struct node_list *list, struct item *out)
{
	const struct located *at = &list->at;
	struct node row, parent = raw_dir(at);
	struct mount_layer *l;
	struct entry e;
	int rc;

	if (at->is_root && at->nodes->image_store)
		return stored_item_describe_layer(at->nodes->image_store, at->node.image,
						  at->node.entry - 1, out);
	if (at->is_root) {
		rows_parent(at->view, &at->node, &row);
		return rows_describe(at->nodes, at->view, &row, out);
	}
	rc = raw_entry(at->view, &parent, &l, &e);
	if (rc < 0)
		return raw_item(at->nodes, rc, NULL, out);
	row = (struct node){.image = parent.image,
			    .layer = at->view->image->is_artifact ? ROW_FILE_PACKED
								  : ROW_LAYER,
			    .entry = parent.layer + 1};
	if (e.parent == at->root)
		return raw_describe_root(at->nodes, at->view, &row, out);
	parent.entry = e.parent;
	return raw_describe_node(at->nodes, at->view, &parent, out);
}

static int raw_xattrs(const struct located *at, struct xattr_run *out)
{
	struct node dir = raw_dir(at);
	struct mount_layer *l;
	struct entry e;
	int rc = raw_entry(at->view, &dir, &l, &e);

	if (rc == -EBADMSG)
		return located_index_failed(at->nodes, NULL, rc);
	if (rc < 0)
		return rc;
	*out = (struct xattr_run){.layer = l, .pos = e.xattrs};
	if (!at->nodes->image_store)
		return 0;
	if (at->is_root)
		out->pos = 0;
	rc = overlay_is_opaque(layer_index(l->layer), &e);
	out->is_opaque = rc == 1;
	return rc < 0 ? located_index_failed(at->nodes, l, rc) : 0;
}

const struct node_ops raw_ops = {
	.pin = raw_pin,
	.describe = raw_describe,
	.describe_root = raw_describe_root,
	.is_root_loaded = raw_is_root_loaded,
	.lookup = raw_lookup,
	.list = raw_list,
	.next = raw_next,
	.parent = raw_parent,
	.xattrs = raw_xattrs,
};
