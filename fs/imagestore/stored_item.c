/* SPDX-License-Identifier: MIT */
#include "fs/imagestore/stored_item.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "fs/image/context.h"
#include "fs/image/item.h"

/* Of a layer with 1,000 below it: 29 bytes each. */
#define LOWER_MAX 32768

bool stored_item_is_stored(const struct node *n)
{
	return n->kind == NODE_SYNTHETIC && n->image == 0 &&
	       (n->layer == STORED_TOP ||
		(n->layer >= STORED_FIRST && n->layer < STORED_END));
}

struct node stored_item_node(enum stored_row row, uint32_t parameter)
{
	return (struct node){.layer = row, .entry = parameter};
}

struct stored_layer *stored_item_layer(const struct image_store *s,
				       const struct node *node)
{
	return node->entry ? catalog_layer(&s->catalog, node->entry - 1) : NULL;
}

struct stored_image *stored_item_image(const struct image_store *s,
				       const struct node *node)
{
	return node->entry ? catalog_image(&s->catalog, node->entry - 1) : NULL;
}

/* "l/LINK:l/LINK...", the parent first. */
int stored_item_lower(const struct stored_layer *l, struct buf *out)
{
	int rc = 0;

	buf_init(out, LOWER_MAX);
	for (l = l->parent; rc == 0 && l; l = l->parent)
		rc = buf_printf(out, "l/%s%s", l->link, l->parent ? ":" : "");
	return rc;
}

/* ATTRIBUTES */

static void describe_as(struct image_store *s, const struct node *node, uint32_t mode,
			uint64_t size, struct timespec time, struct item *out)
{
	struct stat *st = &out->attr;

	memset(out, 0, sizeof(*out));
	out->node = node_pack(node);
	st->st_ino = node_ino(node->layer, node->entry);
	st->st_mode = mode;
	st->st_nlink = 1;
	st->st_uid = s->context->uid;
	st->st_gid = s->context->gid;
	st->st_size = (off_t)size;
	st->st_blocks = (blkcnt_t)((size + 511) / 512);
	st->st_mtim = st->st_atim = st->st_ctim = time;
}

/* A directory whose names change with the edition. */
static int describe_dir(struct image_store *s, const struct node *node, struct item *out)
{
	struct timespec time;
	uint32_t edition;
	int rc = image_store_edition(s, &edition, &time);

	if (rc < 0)
		return rc;
	describe_as(s, node, S_IFDIR | 0555, 0, time, out);
	out->expires = true;
	return 0;
}

static int describe_text(struct image_store *s, const struct node *node,
			 enum store_text which, struct item *out)
{
	struct timespec time;
	size_t len;
	int rc = image_store_text(s, node->entry, which, &len, &time);

	if (rc < 0)
		return rc;
	describe_as(s, node, S_IFREG | 0444, len, time, out);
	out->is_live = true;
	return 0;
}

enum store_text stored_item_text(uint32_t row)
{
	if (row == STORED_IMAGES_JSON)
		return STORE_IMAGES;
	return row == STORED_LAYERS_JSON ? STORE_LAYERS : STORE_GENERATION;
}

static int describe_layer(struct image_store *s, const struct node *node,
			  struct item *out)
{
	const struct stored_layer *l = stored_item_layer(s, node);
	struct timespec time = {.tv_sec = l ? (time_t)l->created : 0};
	struct buf lower;
	int rc = 0;

	if (!l)
		return -ESTALE;
	if (node->layer == STORED_LAYER) {
		describe_as(s, node, S_IFDIR | 0555, 0, time, out);
	} else if (node->layer == STORED_TAR_SPLIT) {
		describe_as(s, node, S_IFREG | 0444, split_size(&l->split), time, out);
		out->is_provisional = split_size(&l->split) == 0;
	} else if (node->layer == STORED_LINK_FILE) {
		describe_as(s, node, S_IFREG | 0444, strlen(l->link), time, out);
	} else if (node->layer == STORED_LINK) {
		describe_as(s, node, S_IFLNK | 0777,
			    strlen("../") + strlen(l->id) + strlen("/diff"), time, out);
	} else {
		rc = stored_item_lower(l, &lower);
		describe_as(s, node, S_IFREG | 0444, lower.len, time, out);
		buf_release(&lower);
	}
	return rc;
}

int stored_item_describe(struct image_store *s, const struct node *node, struct item *out)
{
	const struct stored_image *im;

	switch (node->layer) {
	case STORED_IMAGES_JSON:
	case STORED_IMAGES_LOCK:
	case STORED_LAYERS_JSON:
	case STORED_LAYERS_LOCK:
		return describe_text(s, node, stored_item_text(node->layer), out);
	case STORED_IMAGE:
		im = stored_item_image(s, node);
		if (!im)
			return -ESTALE;
		describe_as(s, node, S_IFDIR | 0555, 0,
			    (struct timespec){.tv_sec = (time_t)im->created}, out);
		return 0;
	case STORED_LAYER:
	case STORED_TAR_SPLIT:
	case STORED_LINK_FILE:
	case STORED_LOWER:
	case STORED_LINK:
		return describe_layer(s, node, out);
	default:
		return describe_dir(s, node, out);
	}
}

int stored_item_describe_layer(struct image_store *s, uint32_t image, uint32_t layer,
			       struct item *out)
{
	const struct stored_layer *l;
	struct node node;

	pthread_mutex_lock(&s->lock);
	l = catalog_layer_of(&s->catalog, image, layer);
	pthread_mutex_unlock(&s->lock);
	if (!l)
		return -ESTALE;
	node = stored_item_node(STORED_LAYER, l->number + 1);
	return stored_item_describe(s, &node, out);
}
