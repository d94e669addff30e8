/* SPDX-License-Identifier: MIT */
#include "fs/node/nodes.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "fs/image/context.h"
#include "fs/image/image_list.h"
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/image/layers.h"
#include "fs/image/list_request.h"
#include "fs/image/status.h"
#include "fs/options/options.h"
#include "fs/node/node_ops.h"
#include "fs/node/rows.h"
#include "fs/tree/match.h"
#include "fs/tree/overlay.h"
#include "tar/layer.h"

/* "." and "..", whose cookies come before those of the kind. */
#define N_DOTS 2

/* The directories of layout=erofs are those of all images: diff_ids.c. */
static bool is_of_diff_ids(const struct nodes *n, const struct node *node)
{
	return n->context->options->layout == LAYOUT_EROFS && node->image == 0 &&
	       (node->layer == ROW_TOP || node->layer == ROW_DIFF_SHA256 ||
		node->layer == ROW_DIFF_GROUP);
}

/* Finds the kind of a node; pins nothing. */
static void find_kind(const struct nodes *n, uint64_t id, struct located *at)
{
	static const struct node_ops *const kinds[NODE_KINDS] = {
		[NODE_SYNTHETIC] = &synthetic_ops, [NODE_FILE] = &file_ops,
		[NODE_MERGED] = &merged_ops,	   [NODE_RAW] = &raw_ops,
		[NODE_NAME] = &name_ops,	   [NODE_STORED] = &stored_ops,
	};

	unsigned kind;

	*at = (struct located){.nodes = n, .id = id};
	kind = located_kind(n, id, &at->node);
	at->ops = kinds[kind];
	if (kind == NODE_SYNTHETIC &&
	    (at->node.layer == ROW_ROOTFS ||
	     (id == NODES_TOP && n->context->options->layout == LAYOUT_ROOTFS)))
		at->ops = &merged_ops;
	else if (kind == NODE_SYNTHETIC &&
		 (at->node.layer == ROW_LAYER || at->node.layer == ROW_FILE_PACKED))
		at->ops = &raw_ops;
	else if (kind == NODE_SYNTHETIC && is_of_diff_ids(n, &at->node))
		at->ops = &diff_ids_ops;
	at->is_root = kind == NODE_SYNTHETIC &&
		      (at->ops == &merged_ops || at->ops == &raw_ops);
}

/* Finds a node and pins what it needs; located_release() in any case. */
static int locate(const struct nodes *n, uint64_t id, struct waiter *w,
		  struct located *at)
{
	find_kind(n, id, at);
	return at->ops->pin ? at->ops->pin(at, w) : 0;
}

/* The same, with what its contents need. */
static int locate_contents(const struct nodes *n, uint64_t id, struct waiter *w,
			   struct located *at)
{
	find_kind(n, id, at);
	at->for_contents = true;
	return at->ops->pin ? at->ops->pin(at, w) : 0;
}

static int describe(const struct located *at, struct item *out)
{
	if (at->is_root)
		return at->ops->describe_root(at->nodes, at->view, &at->node, out);
	return at->ops->describe(at, out);
}

/* Roots are described at once, whether they are loaded or not. */
int nodes_describe(const struct nodes *n, uint64_t id, struct waiter *w, struct item *out)
{
	struct located at;
	int rc;

	find_kind(n, id, &at);
	if (at.ops->glance && at.ops->glance(n, &at.node, out))
		return 0;
	rc = at.is_root ? located_pin_view(&at, w) : locate(n, id, w, &at);
	if (rc == 0)
		rc = describe(&at, out);
	located_release(&at);
	return rc;
}

int nodes_measure(const struct nodes *n, uint64_t id, struct waiter *w, struct item *out)
{
	struct located at;
	int rc = locate_contents(n, id, w, &at);

	if (rc == 0)
		rc = describe(&at, out);
	located_release(&at);
	return rc;
}

static int look_up_parent(const struct nodes *n, uint64_t id, struct waiter *w,
			  struct item *out)
{
	struct node_list *l = NULL;
	const char *name;
	uint64_t cookie;
	int rc = nodes_list_open(n, id, 1, w, &l);

	if (rc == 0)
		rc = nodes_list_next(l, &name, out, &cookie);
	nodes_list_close(l);
	return rc < 0 ? rc : 0;
}

int nodes_lookup(const struct nodes *n, uint64_t parent, const char *name,
		 struct waiter *w, struct item *out)
{
	struct located at;
	int rc;

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (strcmp(name, "..") == 0)
		return look_up_parent(n, parent, w, out);
	if (strcmp(name, ".") == 0) {
		rc = nodes_describe(n, parent, w, out);
		out->node = parent;
		return rc;
	}
	rc = locate(n, parent, w, &at);
	if (rc == 0)
		rc = at.ops->lookup ? at.ops->lookup(&at, name, w, out) : -ENOTDIR;
	located_release(&at);
	return rc;
}

/* WHAT ALL NODES TOGETHER MAY HAVE */

/* Images that are loaded later may have anything. */
static bool is_open_ended(const struct nodes *n)
{
	return n->namespace || n->list || !view_has_tree(n->images->first) ||
	       (n->images->first->image->n_platforms > 0 &&
		n->context->options->layout == LAYOUT_IMAGE);
}

bool nodes_may_have_xattrs(const struct nodes *n)
{
	return is_open_ended(n) || n->images->first->totals.has_xattrs;
}

bool nodes_may_have_holes(const struct nodes *n)
{
	return is_open_ended(n) || n->images->first->totals.has_sparse;
}

/* LISTS */

int nodes_list_open(const struct nodes *n, uint64_t id, uint64_t cookie, struct waiter *w,
		    struct node_list **out)
{
	struct node_list *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return -ENOMEM;
	l->cookie = cookie;
	rc = locate(n, id, w, &l->at);
	if (rc == 0)
		rc = l->at.ops->list ? l->at.ops->list(l, w) : -ENOTDIR;
	if (rc < 0)
		nodes_list_close(l);
	else
		*out = l;
	return rc;
}

void nodes_list_close(struct node_list *l)
{
	if (!l)
		return;
	if (l->at.ops->close)
		l->at.ops->close(l);
	located_release(&l->at);
	free(l);
}

static int next_name(struct node_list *l, struct item *out)
{
	int rc;

	if (l->cookie < N_DOTS) {
		strcpy(l->name, l->cookie == 0 ? "." : "..");
		rc = l->cookie == 0 ? describe(&l->at, out) : l->at.ops->parent(l, out);
		l->cookie++;
		return rc < 0 ? rc : 1;
	}
	l->cookie -= N_DOTS;
	rc = l->at.ops->next(l, out);
	l->cookie += N_DOTS;
	return rc;
}

int nodes_list_next(struct node_list *l, const char **name, struct item *out,
		    uint64_t *cookie)
{
	int rc = next_name(l, out);

	*name = l->name;
	*cookie = l->cookie;
	return rc;
}

/* CONTENTS */

int nodes_readlink(const struct nodes *n, uint64_t id, char *buf, size_t size,
		   struct waiter *w)
{
	struct located at;
	int rc = locate(n, id, w, &at);

	if (rc == 0)
		rc = at.ops->readlink ? at.ops->readlink(&at, buf, size, w) : -EINVAL;
	located_release(&at);
	return rc;
}

ssize_t nodes_read(const struct nodes *n, uint64_t id, void *buf, size_t size,
		   uint64_t off, struct waiter *w)
{
	struct located at;
	ssize_t rc = locate_contents(n, id, w, &at);

	if (rc == 0)
		rc = at.ops->read ? at.ops->read(&at, buf, size, off, w) : -EISDIR;
	located_release(&at);
	return rc;
}

/* Of a file without holes, whose end counts as one. */
static off_t seek_plain(const struct located *at, off_t off, int whence)
{
	struct item item = {0};
	int rc = describe(at, &item);

	if (rc != 0)
		return rc;
	if (off < 0 || off >= item.attr.st_size)
		return -ENXIO;
	return whence == SEEK_DATA ? off : item.attr.st_size;
}

off_t nodes_seek(const struct nodes *n, uint64_t id, off_t off, int whence,
		 struct waiter *w)
{
	struct located at;
	off_t rc;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	rc = locate_contents(n, id, w, &at);
	if (rc == 0)
		rc = at.ops->seek ? at.ops->seek(&at, off, whence)
				  : seek_plain(&at, off, whence);
	located_release(&at);
	return rc;
}

ssize_t nodes_stored_size(const struct nodes *n, uint64_t id, size_t max,
			  struct waiter *w)
{
	struct located at;
	ssize_t rc = locate(n, id, w, &at);

	if (rc == 0)
		rc = at.ops->stored_size ? at.ops->stored_size(&at, max) : -EINVAL;
	located_release(&at);
	return rc;
}

/* EXTENDED ATTRIBUTES */

/* Whether it is one of those that an opaque directory has. */
static bool is_opaque_xattr(const struct xattr_run *run, const char *name)
{
	size_t i;

	for (i = 0; run->is_opaque && i < OVERLAY_N_XATTRS; i++) {
		if (strcmp(name, overlay_opaque_xattrs[i]) == 0)
			return true;
	}
	return false;
}

static ssize_t copy_value(const void *value, size_t len, void *buf, size_t size)
{
	if (size > 0 && len > size)
		return -ERANGE;
	if (size > 0)
		memcpy(buf, value, len);
	return (ssize_t)len;
}

static ssize_t xattrs_get(const struct nodes *n, const struct xattr_run *run,
			  const char *name, void *buf, size_t size)
{
	uint64_t pos = run->pos;
	struct xattr x;
	int rc;

	if (is_opaque_xattr(run, name))
		return copy_value(OVERLAY_OPAQUE, strlen(OVERLAY_OPAQUE), buf, size);
	while (pos != 0) {
		rc = index_xattr(layer_index(run->layer->layer), &pos, &x);
		if (rc < 0)
			return located_index_failed(n, run->layer, rc);
		if (x.name_len != strlen(name) || memcmp(x.name, name, x.name_len) != 0 ||
		    match_hides_xattr(x.name, x.name_len))
			continue;
		return copy_value(x.value, x.value_len, buf, size);
	}
	/*
	 * `ls -l` asks for it of every file, and the kernel does not cache the answer. But
	 * after -EOPNOTSUPP for a label it asks no more.
	 */
	return strcmp(name, "security.selinux") == 0 ? -EOPNOTSUPP : -ENODATA;
}

/* Adds a name to the list at @buf, of which *len bytes are used. 0, -ERANGE. */
static int add_name(const char *name, size_t name_len, char *buf, size_t size,
		    size_t *len)
{
	if (size > 0) {
		if (name_len + 1 > size - *len)
			return -ERANGE;
		memcpy(buf + *len, name, name_len);
		buf[*len + name_len] = '\0';
	}
	*len += name_len + 1;
	return 0;
}

static ssize_t xattrs_list(const struct nodes *n, const struct xattr_run *run, char *buf,
			   size_t size)
{
	uint64_t pos = run->pos;
	struct xattr x;
	size_t i, len = 0;
	int rc = 0;

	for (i = 0; rc == 0 && run->is_opaque && i < OVERLAY_N_XATTRS; i++)
		rc = add_name(overlay_opaque_xattrs[i], strlen(overlay_opaque_xattrs[i]),
			      buf, size, &len);
	while (rc == 0 && pos != 0) {
		rc = index_xattr(layer_index(run->layer->layer), &pos, &x);
		if (rc < 0)
			return located_index_failed(n, run->layer, rc);
		if (match_hides_xattr(x.name, x.name_len))
			continue;
		rc = add_name(x.name, x.name_len, buf, size, &len);
	}
	return rc < 0 ? rc : (ssize_t)len;
}

/* The pins are released by the caller. A root that is not loaded has none yet. */
static int find_xattrs(const struct nodes *n, uint64_t id, struct waiter *w,
		       struct located *at, struct xattr_run *out)
{
	int rc = 0;

	*out = (struct xattr_run){.pos = 0};
	find_kind(n, id, at);
	if (!at->ops->xattrs)
		return 0;
	if (at->is_root) {
		rc = located_pin_view(at, w);
		if (rc < 0 || !at->ops->is_root_loaded(at))
			return rc;
		view_unpin(at->view);
	}
	rc = locate(n, id, w, at);
	return rc < 0 ? rc : at->ops->xattrs(at, out);
}

ssize_t nodes_getxattr(const struct nodes *n, uint64_t id, const char *name, void *buf,
		       size_t size, struct waiter *w)
{
	struct xattr_run run;
	struct located at;
	ssize_t rc = find_xattrs(n, id, w, &at, &run);

	if (rc == 0)
		rc = xattrs_get(n, &run, name, buf, size);
	located_release(&at);
	return rc;
}

ssize_t nodes_listxattr(const struct nodes *n, uint64_t id, char *buf, size_t size,
			struct waiter *w)
{
	struct xattr_run run;
	struct located at;
	ssize_t rc = find_xattrs(n, id, w, &at, &run);

	if (rc == 0)
		rc = xattrs_list(n, &run, buf, size);
	located_release(&at);
	return rc;
}

int nodes_status(const struct nodes *n, uint64_t id, struct status_piece *p)
{
	if (id != NODES_TOP)
		return -ENOTTY;
	return status_read_piece(n->snapshots, n->images,
				 n->images->is_first_loaded ? n->images->first : NULL, p);
}

int nodes_change_list(const struct nodes *n, uint64_t id, struct list_request *p,
		      struct waiter *w)
{
	struct err e = {""};
	int rc = -EINVAL;

	if (id != NODES_TOP || !n->list)
		return -ENOTTY;
	p->reference[sizeof(p->reference) - 1] = '\0';
	if (p->action == LIST_ADD)
		rc = image_list_add(n->list, p->reference, w, &e);
	else if (p->action == LIST_REMOVE)
		rc = image_list_remove(n->list, p->reference, &e);
	else
		return rc;
	if (rc == -EINTR)
		return rc;
	p->code = rc;
	memcpy(p->why, e.text, sizeof(p->why));
	return 0;
}
