/* SPDX-License-Identifier: MIT */
/* Directories of the merged tree of an image. */
#include <errno.h>
#include <string.h>

#include "fs/image/context.h"
#include "fs/image/layers.h"
#include "fs/options/options.h"
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/image/view.h"
#include "fs/node/node_ops.h"
#include "fs/node/rows.h"
#include "fs/tree/listing.h"
#include "fs/tree/merge.h"

/* The caller gives it back with merged_dir_unref(). */
static int merged_open(const struct located *at, struct merged_dir **out)
{
	struct place place = {.layer = at->node.layer, .entry = at->node.entry};
	struct merge *m = view_merge(at->view);
	int rc;

	if (!m)
		return -EIO;
	rc = at->is_root ? merge_root(m, out) : merge_dir(m, place, out);
	return rc < 0 ? located_merge_failed(at->nodes, rc) : 0;
}

static int describe_dir(const struct nodes *n, const struct merge *m,
			const struct merged_dir *dir, struct item *out)
{
	struct attributes a = {0};
	int rc = merge_describe(m, dir, &a);

	return rc < 0 ? located_merge_failed(n, rc) : located_item(n, &a, out);
}

static int merged_describe_root(const struct nodes *n, struct view *v,
				const struct node *row, struct item *out)
{
	struct merge *m = view_merge(v);
	struct merged_dir *dir;
	struct item real;
	int rc;

	if (!m) {
		located_root_item(v, row, NULL, !view_has_tree(v), out);
		return 0;
	}
	rc = merge_root(m, &dir);
	if (rc < 0)
		return located_merge_failed(n, rc);
	rc = describe_dir(n, m, dir, &real);
	merged_dir_unref(dir);
	if (rc == 0)
		located_root_item(v, row, &real, false, out);
	return rc;
}

static bool merged_is_root_loaded(const struct located *at)
{
	return view_has_tree(at->view);
}

static int merged_pin(struct located *at, struct waiter *w)
{
	int rc = located_pin_view(at, w);

	return rc < 0 ? rc : view_need_tree(at->view, w);
}

static int merged_describe(const struct located *at, struct item *out)
{
	struct merged_dir *dir;
	int rc = merged_open(at, &dir);

	if (rc < 0)
		return rc;
	rc = describe_dir(at->nodes, view_merge(at->view), dir, out);
	merged_dir_unref(dir);
	return rc;
}

static int merged_lookup(const struct located *at, const char *name, struct waiter *w,
			 struct item *out)
{
	struct merged_dir *dir;
	struct attributes a;
	int rc = merged_open(at, &dir);

	(void)w;
	if (rc < 0)
		return rc;
	rc = merge_lookup(view_merge(at->view), dir, name, strlen(name), &a);
	rc = rc < 0 ? located_merge_failed(at->nodes, rc)
		    : located_item(at->nodes, &a, out);
	merged_dir_unref(dir);
	return rc;
}

static int merged_list(struct node_list *l, struct waiter *w)
{
	(void)w;
	return merged_open(&l->at, &l->dir);
}

static int merged_next(struct node_list *l, struct item *out)
{
	uint64_t after = l->cookie;
	const char *name;
	struct attributes a;
	size_t len;
	int rc = 0;

	if (!l->listing)
		rc = listing_open(view_merge(l->at.view), l->dir, after, &l->listing);
	if (rc >= 0)
		rc = listing_next(l->listing, &name, &len, &a, &after);
	if (rc <= 0)
		return rc < 0 && rc != -EINVAL ? located_merge_failed(l->at.nodes, rc)
					       : rc;
	rc = located_item(l->at.nodes, &a, out);
	if (rc < 0)
		return rc;
	memcpy(l->name, name, len);
	l->name[len] = '\0';
	l->cookie = after;
	return 1;
}

static bool is_root_dir(struct merge *m, const struct merged_dir *dir)
{
	struct merged_dir *root;
	bool is;

	if (merge_root(m, &root) < 0)
		return false;
	is = root->node == dir->node;
	merged_dir_unref(root);
	return is;
}

/* Around rootfs/ is the top of the image, unless it is the top of the mount itself. */
static int merged_parent(struct node_list *l, struct item *out)
{
	const struct nodes *n = l->at.nodes;
	bool has_top = n->context->options->layout == LAYOUT_IMAGE;
	struct node row = {.image = l->at.node.image, .layer = ROW_TOP, .entry = 1};
	struct view *v = l->at.view;
	struct merge *m = view_merge(v);
	struct merged_dir *dir;
	int rc;

	if (l->at.is_root && has_top)
		return rows_describe(n, v, &row, out);
	rc = merge_parent(m, l->dir, &dir);
	if (rc < 0)
		return located_merge_failed(n, rc);
	if (has_top)
		row.layer = ROW_ROOTFS;
	rc = is_root_dir(m, dir) ? merged_describe_root(n, v, &row, out)
				 : describe_dir(n, m, dir, out);
	merged_dir_unref(dir);
	return rc;
}

static void merged_close(struct node_list *l)
{
	listing_close(l->listing);
	merged_dir_unref(l->dir);
}

static int merged_xattrs(const struct located *at, struct xattr_run *out)
{
	struct merged_dir *dir;
	struct attributes a = {0};
	int rc = merged_open(at, &dir);

	if (rc < 0)
		return rc;
	rc = merge_describe(view_merge(at->view), dir, &a);
	merged_dir_unref(dir);
	if (rc < 0)
		return located_merge_failed(at->nodes, rc);
	if (a.is_described)
		*out = (struct xattr_run){
			.layer = layers_get(at->nodes->layers, a.mount_number),
			.pos = a.entry.xattrs};
	return 0;
}

const struct node_ops merged_ops = {
	.pin = merged_pin,
	.describe = merged_describe,
	.describe_root = merged_describe_root,
	.is_root_loaded = merged_is_root_loaded,
	.lookup = merged_lookup,
	.list = merged_list,
	.next = merged_next,
	.parent = merged_parent,
	.close = merged_close,
	.xattrs = merged_xattrs,
};
