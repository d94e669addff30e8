/* SPDX-License-Identifier: MIT */
/* Directories of the merged tree of an image. */
#include <errno.h>
#include <string.h>

#include "fs/image/context.h"
#include "fs/image/layers.h"
#include "fs/options/options.h"
#include "fs/image/view.h"
#include "fs/node/node_ops.h"
#include "fs/node/rows.h"
#include "fs/tree/listing.h"
#include "fs/tree/merge.h"

/* The caller gives it back with merged_dir_unref(). */
static int merged_open(const struct located *at, struct merged_dir **out)
{
	struct place place = {.layer = at->node.layer, .entry = at->node.entry};
	struct merge *m = at->view->merge;
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

static int merged_describe_root(const struct nodes *n, struct view *v, uint32_t number,
				struct item *out)
{
	struct merged_dir *dir;
	int rc = merge_root(v->merge, &dir);

	(void)number;
	if (rc < 0)
		return located_merge_failed(n, rc);
	rc = describe_dir(n, v->merge, dir, out);
	merged_dir_unref(dir);
	return rc;
}

static int merged_describe(const struct located *at, struct item *out)
{
	struct merged_dir *dir;
	int rc = merged_open(at, &dir);

	if (rc < 0)
		return rc;
	rc = describe_dir(at->nodes, at->view->merge, dir, out);
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
	rc = merge_lookup(at->view->merge, dir, name, strlen(name), &a);
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
		rc = listing_open(l->at.view->merge, l->dir, after, &l->listing);
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

/* Around rootfs/ is the top of the image, unless it is the top of the mount itself. */
static int merged_parent(struct node_list *l, struct item *out)
{
	struct node top = {.image = l->at.node.image, .layer = ROW_TOP, .entry = 1};
	const struct nodes *n = l->at.nodes;
	struct merge *m = l->at.view->merge;
	struct merged_dir *dir;
	int rc = merge_parent(m, l->dir, &dir);

	if (rc < 0)
		return located_merge_failed(n, rc);
	if (dir->node == l->dir->node && n->context->options->layout == LAYOUT_IMAGE)
		rc = rows_describe(n, l->at.view, &top, out);
	else
		rc = describe_dir(n, m, dir, out);
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
	rc = merge_describe(at->view->merge, dir, &a);
	merged_dir_unref(dir);
	if (rc < 0)
		return located_merge_failed(at->nodes, rc);
	if (a.is_described)
		*out = (struct xattr_run){layers_get(at->nodes->layers, a.mount_number),
					  a.entry.xattrs};
	return 0;
}

const struct node_ops merged_ops = {
	.pin = located_pin_view,
	.describe = merged_describe,
	.describe_root = merged_describe_root,
	.lookup = merged_lookup,
	.list = merged_list,
	.next = merged_next,
	.parent = merged_parent,
	.close = merged_close,
	.xattrs = merged_xattrs,
};
