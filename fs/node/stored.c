/* SPDX-License-Identifier: MIT */
/*
 * The directories and files of an image store (layout=store), around the trees of layers, which
 * are those of raw.c, and documents of images, which are rows.
 *
 *	overlay-images/images.json  images.lock
 *	overlay-images/ID/manifest  =BASE64 of "manifest-DIGEST"  =BASE64 of its config's digest
 *	overlay-layers/layers.json  layers.lock
 *	overlay-layers/ID.tar-split.gz  what of its archive is not in its tree
 *	overlay/ID/diff/            the tree of a layer
 *	overlay/ID/link             its short name
 *	overlay/ID/lower            the short names of the layers below, as mount options have them
 *	overlay/l/LINK              leads to ../ID/diff
 *
 * The lists change. Each edition of them has nodes of its own, and their names expire at once, so
 * a reader sees the text of one edition, whole, and whoever opens a list sees the newest.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/buf.h"
#include "fs/image/context.h"
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/imagestore/image_store.h"
#include "fs/imagestore/stored_item.h"
#include "fs/node/node_ops.h"
#include "fs/node/rows.h"
#include "fs/tree/node.h"

/* Only a reader waits for it: it takes the whole layer. */
static int stored_pin(struct located *at, struct waiter *w)
{
	struct stored_layer *l;

	if (!at->for_contents || at->node.layer != STORED_TAR_SPLIT)
		return 0;
	l = stored_item_layer(at->nodes->image_store, &at->node);
	return l ? split_need(&l->split, w) : -ESTALE;
}

static int stored_describe(const struct located *at, struct item *out)
{
	return stored_item_describe(at->nodes->image_store, &at->node, out);
}

/* WHAT IS OF AN IMAGE OF THE MOUNT */

/* A row of an image, which is loaded for it. */
static int describe_row(const struct nodes *n, uint32_t image, struct node row,
			struct waiter *w, struct item *out)
{
	struct view *v = images_find(n->images, image);
	int rc = v ? view_pin(v, w) : -ESTALE;

	if (rc < 0)
		return rc;
	row.image = image;
	rc = row.layer == ROW_LAYER ? raw_ops.describe_root(n, v, &row, out)
				    : rows_describe(n, v, &row, out);
	view_unpin(v);
	return rc;
}

/* NAMES */

/* The files of an image, and the rows that have their bytes. */
static const enum row_number documents[] = {ROW_MANIFEST, ROW_OCI_MANIFEST, ROW_CONFIG};
#define N_DOCUMENTS (sizeof(documents) / sizeof(documents[0]))

/* As containers/storage names them. @name has NAME_MAX + 1 bytes. */
static int document_name(const struct stored_image *im, size_t i, char *name)
{
	char digest[DIGEST_TEXT_MAX], key[sizeof("manifest-") + DIGEST_TEXT_MAX];
	struct buf text;
	int rc;

	if (documents[i] == ROW_MANIFEST) {
		strcpy(name, "manifest");
		return 0;
	}
	if (documents[i] == ROW_CONFIG)
		snprintf(key, sizeof(key), "%s", digest_format(&im->config, digest));
	else
		snprintf(key, sizeof(key), "manifest-%s",
			 digest_format(&im->manifest, digest));
	buf_init(&text, NAME_MAX - 1);
	rc = base64_append(&text, key, strlen(key));
	snprintf(name, NAME_MAX + 1, "=%s", buf_text(&text));
	buf_release(&text);
	return rc;
}

/* Names that are always in a directory. */
static const struct fixed {
	enum stored_row dir;
	const char *name;
	enum stored_row row;
} fixed[] = {
	{STORED_TOP, "overlay", STORED_OVERLAY},
	{STORED_TOP, "overlay-images", STORED_IMAGES},
	{STORED_TOP, "overlay-layers", STORED_LAYERS},
	{STORED_IMAGES, "images.json", STORED_IMAGES_JSON},
	{STORED_IMAGES, "images.lock", STORED_IMAGES_LOCK},
	{STORED_LAYERS, "layers.json", STORED_LAYERS_JSON},
	{STORED_LAYERS, "layers.lock", STORED_LAYERS_LOCK},
	{STORED_OVERLAY, "l", STORED_LINKS},
	{STORED_LAYER, "link", STORED_LINK_FILE},
	{STORED_LAYER, "lower", STORED_LOWER},
};
#define N_FIXED (sizeof(fixed) / sizeof(fixed[0]))

/* The node of a fixed name. -ENOENT: the lowest layer has no `lower`. */
static int fixed_node(const struct located *at, const struct fixed *f, struct node *out)
{
	const struct stored_layer *l;
	struct timespec time;
	uint32_t edition;
	int rc;

	if (f->dir == STORED_LAYER) {
		l = stored_item_layer(at->nodes->image_store, &at->node);
		*out = stored_item_node(f->row, at->node.entry);
		return !l || (f->row == STORED_LOWER && !l->parent) ? -ENOENT : 0;
	}
	if (f->dir == STORED_TOP || f->row == STORED_LINKS) {
		*out = stored_item_node(f->row, 1);
		return 0;
	}
	rc = image_store_edition(at->nodes->image_store, &edition, &time);
	*out = stored_item_node(f->row, edition);
	return rc;
}

static int lookup_fixed(const struct located *at, const char *name, struct item *out)
{
	struct node node;
	size_t i;
	int rc;

	for (i = 0; i < N_FIXED; i++) {
		if (fixed[i].dir != at->node.layer || strcmp(fixed[i].name, name) != 0)
			continue;
		rc = fixed_node(at, &fixed[i], &node);
		return rc < 0 ? rc
			      : stored_item_describe(at->nodes->image_store, &node, out);
	}
	return -ENOENT;
}

#define TAR_SPLIT ".tar-split.gz"

/* The layer whose tar-split has the name. Under the lock. */
static const struct stored_layer *find_split(const struct catalog *c, const char *name)
{
	char id[LAYER_ID_MAX];
	size_t len = strlen(name);

	if (len != LAYER_ID_MAX - 1 + strlen(TAR_SPLIT) ||
	    strcmp(name + LAYER_ID_MAX - 1, TAR_SPLIT) != 0)
		return NULL;
	memcpy(id, name, LAYER_ID_MAX - 1);
	id[LAYER_ID_MAX - 1] = '\0';
	return catalog_find_layer(c, id);
}

/* The row of layers in a directory, or STORED_END; the layer of a name. Under the lock. */
static enum stored_row find_layer(const struct catalog *c, uint32_t dir, const char *name,
				  const struct stored_layer **out)
{
	switch (dir) {
	case STORED_LAYERS:
		*out = find_split(c, name);
		return STORED_TAR_SPLIT;
	case STORED_OVERLAY:
		*out = catalog_find_layer(c, name);
		return STORED_LAYER;
	case STORED_LINKS:
		*out = catalog_find_link(c, name);
		return STORED_LINK;
	default:
		*out = NULL;
		return STORED_END;
	}
}

/* An image or layer of the catalog, by its name in the directory. -ENOENT. */
static int find_in_catalog(const struct located *at, const char *name, struct node *out)
{
	struct image_store *s = at->nodes->image_store;
	const struct stored_layer *l;
	const struct stored_image *im = NULL;
	enum stored_row row;

	pthread_mutex_lock(&s->lock);
	if (at->node.layer == STORED_IMAGES)
		im = catalog_find_image(&s->catalog, name);
	row = find_layer(&s->catalog, at->node.layer, name, &l);
	pthread_mutex_unlock(&s->lock);
	if (im)
		*out = stored_item_node(STORED_IMAGE, im->number + 1);
	else if (l)
		*out = stored_item_node(row, l->number + 1);
	return im || l ? 0 : -ENOENT;
}

static int lookup_document(const struct located *at, const char *name, struct waiter *w,
			   struct item *out)
{
	const struct stored_image *im = stored_item_image(at->nodes->image_store,
							  &at->node);
	char here[NAME_MAX + 1];
	size_t i;
	int rc = 0;

	for (i = 0; im && i < N_DOCUMENTS; i++) {
		rc = document_name(im, i, here);
		if (rc < 0)
			return rc;
		if (strcmp(here, name) == 0)
			return describe_row(
				at->nodes, im->image,
				(struct node){.layer = documents[i], .entry = 1}, w, out);
	}
	return -ENOENT;
}

static int lookup_diff(const struct located *at, struct waiter *w, struct item *out)
{
	const struct stored_layer *l = stored_item_layer(at->nodes->image_store,
							 &at->node);

	if (!l)
		return -ESTALE;
	return describe_row(at->nodes, l->image,
			    (struct node){.layer = ROW_LAYER, .entry = l->layer + 1}, w,
			    out);
}

static int stored_lookup(const struct located *at, const char *name, struct waiter *w,
			 struct item *out)
{
	struct node node;
	int rc;

	if (at->node.layer == STORED_IMAGE)
		return lookup_document(at, name, w, out);
	if (at->node.layer == STORED_LAYER && strcmp(name, "diff") == 0)
		return lookup_diff(at, w, out);
	rc = lookup_fixed(at, name, out);
	if (rc == -ENOENT) {
		rc = find_in_catalog(at, name, &node);
		if (rc == 0)
			rc = stored_item_describe(at->nodes->image_store, &node, out);
	}
	/* It may be added. */
	if (rc == -ENOENT)
		*out = (struct item){.expires = true};
	return rc;
}

/* LISTS. A cookie counts: fixed names, then those of the catalog, or what else is there. */

static int stored_list(struct node_list *l, struct waiter *w)
{
	(void)w;
	switch (l->at.node.layer) {
	case STORED_TOP:
	case STORED_IMAGES:
	case STORED_IMAGE:
	case STORED_LAYERS:
	case STORED_OVERLAY:
	case STORED_LAYER:
	case STORED_LINKS:
		return 0;
	default:
		return -ENOTDIR;
	}
}

/* The name of one of our nodes. */
static int give_node(struct node_list *l, const char *name, enum stored_row row,
		     uint32_t number, struct item *out)
{
	struct node node = stored_item_node(row, number + 1);
	int rc = stored_item_describe(l->at.nodes->image_store, &node, out);

	snprintf(l->name, sizeof(l->name), "%s", name);
	return rc < 0 ? rc : 1;
}

/* A name whose node has to be looked up, because that is of an image. */
static int give_name(struct node_list *l, const char *name, uint32_t mode,
		     struct item *out)
{
	snprintf(l->name, sizeof(l->name), "%s", name);
	memset(out, 0, sizeof(*out));
	out->attr.st_mode = mode;
	out->attr.st_ino = node_ino(l->at.node.entry, (uint32_t)l->cookie);
	return 1;
}

/* Name @i after the fixed ones. 0: there is none. */
static int catalog_next(struct node_list *l, uint32_t i, struct item *out)
{
	const struct catalog *c = &l->at.nodes->image_store->catalog;
	const struct stored_image *im;
	const struct stored_layer *layer;
	char name[NAME_MAX + 1];

	switch (l->at.node.layer) {
	case STORED_IMAGES:
		im = catalog_image(c, i);
		return im ? give_node(l, im->id, STORED_IMAGE, i, out) : 0;
	case STORED_LAYERS:
		layer = catalog_layer(c, i);
		if (!layer)
			return 0;
		snprintf(name, sizeof(name), "%s" TAR_SPLIT, layer->id);
		return give_node(l, name, STORED_TAR_SPLIT, i, out);
	case STORED_OVERLAY:
		layer = catalog_layer(c, i);
		return layer ? give_node(l, layer->id, STORED_LAYER, i, out) : 0;
	case STORED_LINKS:
		layer = catalog_layer(c, i);
		return layer ? give_node(l, layer->link, STORED_LINK, i, out) : 0;
	case STORED_IMAGE:
		im = stored_item_image(l->at.nodes->image_store, &l->at.node);
		if (!im || i >= N_DOCUMENTS || document_name(im, i, name) < 0)
			return 0;
		return give_name(l, name, S_IFREG, out);
	case STORED_LAYER:
		return i == 0 ? give_name(l, "diff", S_IFDIR, out) : 0;
	default:
		return 0;
	}
}

static int stored_next(struct node_list *l, struct item *out)
{
	uint64_t at = l->cookie;
	struct node node;
	int rc;

	for (; at < N_FIXED; at++) {
		if (fixed[at].dir != l->at.node.layer)
			continue;
		rc = fixed_node(&l->at, &fixed[at], &node);
		if (rc == -ENOENT)
			continue;
		if (rc == 0)
			rc = stored_item_describe(l->at.nodes->image_store, &node, out);
		strcpy(l->name, fixed[at].name);
		l->cookie = at + 1;
		return rc < 0 ? rc : 1;
	}
	l->cookie = at + 1;
	return at - N_FIXED <= UINT32_MAX ? catalog_next(l, (uint32_t)(at - N_FIXED), out)
					  : 0;
}

static int stored_parent(struct node_list *l, struct item *out)
{
	struct node node = stored_item_node(STORED_TOP, 1);

	if (l->at.node.layer == STORED_IMAGE)
		node = stored_item_node(STORED_IMAGES, 1);
	else if (l->at.node.layer == STORED_LAYER || l->at.node.layer == STORED_LINKS)
		node = stored_item_node(STORED_OVERLAY, 1);
	return stored_item_describe(l->at.nodes->image_store, &node, out);
}

/* CONTENTS */

static int stored_readlink(const struct located *at, char *buf, size_t size,
			   struct waiter *w)
{
	const struct stored_layer *l = stored_item_layer(at->nodes->image_store,
							 &at->node);

	(void)w;
	if (at->node.layer != STORED_LINK)
		return -EINVAL;
	if (!l)
		return -ESTALE;
	return (size_t)snprintf(buf, size, "../%s/diff", l->id) < size ? 0
								       : -ENAMETOOLONG;
}

static ssize_t copy_part(const char *text, size_t len, void *buf, size_t size,
			 uint64_t off)
{
	if (off >= len)
		return 0;
	if (size > len - off)
		size = (size_t)(len - off);
	memcpy(buf, text + off, size);
	return (ssize_t)size;
}

static ssize_t read_lower(const struct stored_layer *l, void *buf, size_t size,
			  uint64_t off)
{
	struct buf lower;
	ssize_t n = stored_item_lower(l, &lower);

	if (n == 0)
		n = copy_part(buf_text(&lower), lower.len, buf, size, off);
	buf_release(&lower);
	return n;
}

static ssize_t stored_read(const struct located *at, void *buf, size_t size, uint64_t off,
			   struct waiter *w)
{
	struct stored_layer *l;

	switch (at->node.layer) {
	case STORED_IMAGES_JSON:
	case STORED_IMAGES_LOCK:
	case STORED_LAYERS_JSON:
	case STORED_LAYERS_LOCK:
		return image_store_read(at->nodes->image_store, at->node.entry,
					stored_item_text(at->node.layer), buf, size, off);
	case STORED_TAR_SPLIT:
		l = stored_item_layer(at->nodes->image_store, &at->node);
		return l ? split_read(&l->split, buf, size, off, w) : -ESTALE;
	case STORED_LINK_FILE:
	case STORED_LOWER:
		l = stored_item_layer(at->nodes->image_store, &at->node);
		if (!l)
			return -ESTALE;
		return at->node.layer == STORED_LOWER
			       ? read_lower(l, buf, size, off)
			       : copy_part(l->link, strlen(l->link), buf, size, off);
	case STORED_LINK:
		return -EINVAL;
	default:
		return -EISDIR;
	}
}

const struct node_ops stored_ops = {
	.pin = stored_pin,
	.describe = stored_describe,
	.lookup = stored_lookup,
	.list = stored_list,
	.next = stored_next,
	.parent = stored_parent,
	.readlink = stored_readlink,
	.read = stored_read,
};
