/* SPDX-License-Identifier: MIT */
/* The rows of an image (rows.h) as nodes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/erofs/image.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/image/layers.h"
#include "fs/image/raw_blobs.h"
#include "fs/image/status.h"
#include "fs/names/name_item.h"
#include "fs/node/node_ops.h"
#include "fs/node/nodes.h"
#include "fs/node/rows.h"

/* The top of an image is known before anything in it. */
static bool synthetic_glance(const struct nodes *n, const struct node *node,
			     struct item *out)
{
	struct view *v;

	if (node->layer != ROW_TOP || node->image == 0)
		return false;
	v = images_find(n->images, node->image);
	if (v)
		view_item_top(v, out);
	return v != NULL;
}

/*
 * rootfs.erofs is made when it is read, or looked at while the tree is loaded: of that its
 * size is known at once. If that fails, what can be said without it is said.
 */
static int pin_erofs(struct view *v, bool for_contents, struct waiter *w)
{
	int rc = for_contents || view_has_tree(v) ? view_need_erofs(v, w) : 0;

	return for_contents || rc == -EINTR ? rc : 0;
}

/*
 * The size of a layer's file is known once it is made, and its name counts for nothing before:
 * who finds one takes it.
 */
static int pin_made(struct located *at, struct waiter *w)
{
	enum row_kind kind;

	if (!rows_has(at->view, &at->node))
		return 0;
	kind = rows_kind(at->node.layer);
	if (kind == ROW_IS_EROFS)
		return pin_erofs(at->view, at->for_contents, w);
	return kind == ROW_IS_LAYER_FILE ? view_need_files(at->view, w) : 0;
}

/* A text with sizes is known once all layers are open. */
static int synthetic_pin(struct located *at, struct waiter *w)
{
	int rc = located_pin_view(at, w);

	if (rc == 0 && rows_need_tree(&at->node))
		rc = view_need_tree(at->view, w);
	return rc < 0 ? rc : pin_made(at, w);
}

static int synthetic_describe(const struct located *at, struct item *out)
{
	return rows_describe(at->nodes, at->view, &at->node, out);
}

/* IMAGES IN DIRECTORIES */

static int platform_view(struct view *v, uint32_t i, struct view **out)
{
	char path[NAME_MAX + 16];
	struct inner inner = {
		.descriptor = &v->image->platforms[i],
		.around = {.image = v->number, .layer = ROW_PLATFORMS, .entry = 1},
		.path = path,
	};

	snprintf(path, sizeof(path), "platforms/%s", v->texts.platform_names[i]);
	return view_inner(v, &inner, &v->platforms[i], out);
}

static int referrer_view(struct view *v, uint32_t i, struct view **out)
{
	struct referrer *r = &v->referrers.list[i];
	char path[NAME_MAX + DIGEST_TEXT_MAX + 32], hex[DIGEST_TEXT_MAX];
	struct inner inner = {
		.descriptor = &r->descriptor,
		.is_referrer = true,
		.around = {.image = v->number,
			   .layer = ROW_REFERRER_TYPE,
			   .entry = r->type + 1},
		.path = path,
	};

	snprintf(path, sizeof(path), "referrers/%s/%s", v->referrers.types[r->type].name,
		 digest_hex(&r->descriptor.digest, hex));
	return view_inner(v, &inner, &r->view, out);
}

/* A row as a name in its directory; it may be the root of another tree. */
static int describe_row(const struct nodes *n, struct view *v, const struct node *row,
			struct item *out)
{
	uint32_t i = row->entry - 1;
	struct view *inner;
	int rc;

	if (row->layer == ROW_ROOTFS)
		return merged_ops.describe_root(n, v, row, out);
	if (row->layer == ROW_LAYER || row->layer == ROW_FILE_PACKED)
		return raw_ops.describe_root(n, v, row, out);
	if (row->layer != ROW_PLATFORM && row->layer != ROW_REFERRER)
		return rows_describe(n, v, row, out);
	rc = row->layer == ROW_PLATFORM ? platform_view(v, i, &inner)
					: referrer_view(v, i, &inner);
	if (rc == 0)
		view_item_top(inner, out);
	return rc;
}

/* NAMES */

/* Fetches the names of directories whose contents only the registry knows. */
static int need_names(const struct located *at, struct waiter *w)
{
	struct node first = at->node;

	first.layer = ROW_REFERRERS;
	first.entry = 1;
	if (at->node.layer == ROW_REFERRERS && rows_has(at->view, &first))
		return view_need_referrers(at->view, w);
	if (at->node.layer == ROW_OCI_ALGORITHM && view_has_index_blobs(at->view))
		return view_need_index_blobs(at->view, w);
	return 0;
}

/* -ENOENT expires: once all layers were streamed they may all be shown. */
static int find_layer_file(struct view *v, const struct node *row, struct waiter *w,
			   struct item *out)
{
	int rc = view_need_files(v, w);

	if (rc < 0 || rows_has(v, row))
		return rc;
	*out = (struct item){.expires = true};
	return -ENOENT;
}

static int synthetic_lookup(const struct located *at, const char *name, struct waiter *w,
			    struct item *out)
{
	struct view *v = at->view;
	struct node row;
	int rc;

	rc = rows_find(v, &at->node, name, &row);
	if (rc == -ENOENT) {
		rc = need_names(at, w);
		if (rc == 0)
			rc = rows_find(v, &at->node, name, &row);
	}
	if (rc == 0 && rows_kind(row.layer) == ROW_IS_LIVE)
		rc = status_snapshot(at->nodes->snapshots, v->images, v, &row.entry);
	if (rc == 0 && rows_kind(row.layer) == ROW_IS_EROFS)
		rc = pin_erofs(v, false, w);
	if (rc == 0 && rows_kind(row.layer) == ROW_IS_LAYER_FILE)
		rc = find_layer_file(v, &row, w, out);
	return rc < 0 ? rc : describe_row(at->nodes, v, &row, out);
}

static int synthetic_list(struct node_list *l, struct waiter *w)
{
	uint32_t row = l->at.node.layer;
	int rc = need_names(&l->at, w);

	/* A name that is listed is there: all are, or none. */
	if (rc == 0 && (row == ROW_DIFF_SHA256 || row == ROW_DIFF_GROUP))
		rc = view_need_files(l->at.view, w);

	/* The status has the reason; `ls -R` goes on. */
	return rc == -EIO && l->at.node.layer == ROW_REFERRERS ? -ENODATA : rc;
}

static bool is_image_file(uint32_t row)
{
	return rows_kind(row) == ROW_IS_EROFS || rows_kind(row) == ROW_IS_LAYER_FILE;
}

static int synthetic_next(struct node_list *l, struct item *out)
{
	struct node row;
	int rc;

	do {
		if (!rows_next(l->at.view, &l->at.node, &l->cookie, l->name, &row))
			return 0;
	} while (!rows_is_listed(l->at.view, &row));
	rc = describe_row(l->at.nodes, l->at.view, &row, out);
	/* Its size is for the one who looks it up. */
	if (is_image_file(row.layer) && out->is_provisional)
		out->node = 0;
	return rc < 0 ? rc : 1;
}

/* The directory that has the image: a row of another one, or a name. */
static int describe_around(const struct located *at, struct item *out)
{
	const struct nodes *n = at->nodes;
	struct node node;

	if (located_kind(n, at->view->around, &node) == NODE_NAME)
		return name_item_describe(n->namespace, &node, out);
	rows_describe_around(images_find(n->images, node.image), &node, out);
	return 0;
}

static int synthetic_parent(struct node_list *l, struct item *out)
{
	const struct located *at = &l->at;
	struct node row;

	if (at->node.layer == ROW_TOP && at->view->around)
		return describe_around(at, out);
	rows_parent(at->view, &at->node, &row);
	return rows_describe(at->nodes, at->view, &row, out);
}

/* CONTENTS */

static ssize_t read_bytes(const struct located *at, void *buf, size_t size, uint64_t off)
{
	const char *data;
	size_t len;

	if (rows_bytes(at->view, &at->node, &data, &len) < 0)
		return -EIO;
	if (off >= len)
		return 0;
	if (size > len - off)
		size = (size_t)(len - off);
	memcpy(buf, data + off, size);
	return (ssize_t)size;
}

struct erofs_reading {
	const struct nodes *nodes;
	struct waiter *waiter;
};

static ssize_t read_file(void *arg, uint64_t id, void *buf, size_t size, uint64_t off)
{
	const struct erofs_reading *r = arg;

	return nodes_read(r->nodes, id, buf, size, off, r->waiter);
}

static ssize_t read_erofs(const struct located *at, const struct erofs_image *im,
			  void *buf, size_t size, uint64_t off, struct waiter *w)
{
	struct erofs_reading r = {.nodes = at->nodes, .waiter = w};
	ssize_t n = erofs_image_read(im, buf, size, off, read_file, &r);

	return n < 0 ? context_errno((int)n) : n;
}

static ssize_t synthetic_read(const struct located *at, void *buf, size_t size,
			      uint64_t off, struct waiter *w)
{
	struct mount_layer *l;
	int rc;

	if (!rows_has(at->view, &at->node))
		return -ESTALE;
	switch (rows_kind(at->node.layer)) {
	case ROW_IS_DIR:
		return -EISDIR;
	case ROW_IS_LIVE:
		return snapshots_read(at->nodes->snapshots, at->node.entry, buf, size,
				      off, NULL);
	case ROW_IS_BYTES:
		return read_bytes(at, buf, size, off);
	case ROW_IS_EROFS:
		return read_erofs(at, view_erofs(at->view), buf, size, off, w);
	case ROW_IS_LAYER_FILE:
		return read_erofs(at, rows_layer(at->view, &at->node)->file_image, buf,
				  size, off, w);
	case ROW_IS_BLOB:
		break;
	}
	rc = rows_blob(at->view, &at->node, &l);
	return rc < 0 ? rc : raw_blob_read(l, buf, size, off, w);
}

const struct node_ops synthetic_ops = {
	.glance = synthetic_glance,
	.pin = synthetic_pin,
	.describe = synthetic_describe,
	.lookup = synthetic_lookup,
	.list = synthetic_list,
	.next = synthetic_next,
	.parent = synthetic_parent,
	.read = synthetic_read,
};
