/* SPDX-License-Identifier: MIT */
/*
 * The directories of layout=erofs: sha256/HH/HEX.erofs, for the layers of all images that the
 * mount lists. The files are rows of the images, as below erofs/ in the tree of one.
 *
 * Several images may claim a diff ID. They are tried in their order until one has it proven
 * (layer_files.h); one that cannot be shown is not listed any more, and delays nobody twice.
 * The list changes, so all names expire at once, and so does the absence of a name.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/image/context.h"
#include "fs/image/image_list.h"
#include "fs/image/images.h"
#include "fs/image/item.h"
#include "fs/node/node_ops.h"
#include "fs/node/rows.h"
#include "fs/tree/node.h"

#define HEX_LEN 64

/* Does image @i of the set claim the diff ID for its layer @layer? Each counts once. */
static bool is_listed(const struct image *img, size_t layer)
{
	const struct digest *d = &img->diff_ids[layer];
	size_t i = 0;

	while (!digest_equal(&img->diff_ids[i], d) && i < layer)
		i++;
	return i == layer && d->alg == DIGEST_SHA256;
}

/* DIRECTORIES */

static void describe_dir(const struct nodes *n, uint32_t row, uint32_t parameter,
			 struct item *out)
{
	struct image_set *set = image_list_get(n->list);
	struct node node = {.layer = row, .entry = parameter};
	struct stat *st = &out->attr;

	*out = (struct item){.node = node_pack(&node), .expires = true};
	st->st_ino = node_ino(row, parameter);
	st->st_mode = S_IFDIR | 0555;
	st->st_nlink = 1;
	st->st_uid = n->context->uid;
	st->st_gid = n->context->gid;
	/* Another time makes the kernel list it again. */
	st->st_mtim.tv_sec = (time_t)(set->generation / 1000000000);
	st->st_mtim.tv_nsec = (long)(set->generation % 1000000000);
	st->st_atim = st->st_ctim = st->st_mtim;
	image_set_unref(set);
}

static int diff_ids_describe(const struct located *at, struct item *out)
{
	describe_dir(at->nodes, at->node.layer, at->node.entry, out);
	return 0;
}

static bool has_group(const struct image_set *set, unsigned byte)
{
	const struct image *img;
	size_t i, layer;

	for (i = 0; i < set->n; i++) {
		img = set->images[i].image;
		for (layer = 0; layer < img->n_layers; layer++) {
			if (img->diff_ids[layer].alg == DIGEST_SHA256 &&
			    img->diff_ids[layer].bytes[0] == byte)
				return true;
		}
	}
	return false;
}

static int find_group(const struct nodes *n, const char *name, struct item *out)
{
	struct image_set *set;
	unsigned byte;
	char text[3];
	bool has;

	if (sscanf(name, "%2x", &byte) != 1)
		return -ENOENT;
	snprintf(text, sizeof(text), "%02x", byte);
	if (strcmp(text, name) != 0)
		return -ENOENT;
	set = image_list_get(n->list);
	has = has_group(set, byte);
	image_set_unref(set);
	if (has)
		describe_dir(n, ROW_DIFF_GROUP, byte + 1, out);
	return has ? 0 : -ENOENT;
}

/* FILES */

/* One that claims to have the layer. -ENOENT: it was not proven, and the image is refused. */
static int try_image(const struct nodes *n, struct view *v, uint32_t layer,
		     struct waiter *w, struct item *out)
{
	struct node row = {
		.image = v->number, .layer = ROW_DIFF_FILE, .entry = layer + 1};
	int rc = view_pin(v, w);

	if (rc < 0)
		return rc;
	rc = view_need_files(v, w);
	if (rc == 0 && view_files(v) == VIEW_FILES_NONE) {
		image_list_refuse(n->list, v, v->files_why ? v->files_why : "");
		rc = -ENOENT;
	}
	if (rc == 0)
		rc = rows_describe(n, v, &row, out);
	view_unpin(v);
	return rc;
}

/* @name is "HEX.erofs". The failure of an image counts if no other has the layer. */
static int find_file(const struct nodes *n, const char *name, struct waiter *w,
		     struct item *out)
{
	struct image_set *set;
	struct digest want;
	char text[DIGEST_TEXT_MAX];
	size_t i, layer;
	int rc = -ENOENT, tried;

	if (strlen(name) != HEX_LEN + 6 || strcmp(name + HEX_LEN, ".erofs") != 0)
		return -ENOENT;
	snprintf(text, sizeof(text), "sha256:%.*s", HEX_LEN, name);
	if (digest_parse(text, strlen(text), &want) < 0)
		return -ENOENT;
	set = image_list_get(n->list);
	for (i = 0; rc < 0 && rc != -EINTR && i < set->n; i++) {
		const struct image *img = set->images[i].image;

		for (layer = 0; layer < img->n_layers; layer++) {
			if (digest_equal(&img->diff_ids[layer], &want))
				break;
		}
		if (layer == img->n_layers)
			continue;
		tried = try_image(n, set->images[i].view, (uint32_t)layer, w, out);
		rc = tried == -ENOENT ? rc : tried;
	}
	image_set_unref(set);
	return rc;
}

static int diff_ids_lookup(const struct located *at, const char *name, struct waiter *w,
			   struct item *out)
{
	int rc = -ENOENT;

	if (at->node.layer == ROW_TOP) {
		if (strcmp(name, "sha256") == 0) {
			describe_dir(at->nodes, ROW_DIFF_SHA256, 1, out);
			return 0;
		}
	} else if (at->node.layer == ROW_DIFF_SHA256) {
		rc = find_group(at->nodes, name, out);
	} else if (strlen(name) > 2) {
		char group[3];

		snprintf(group, sizeof(group), "%02x", at->node.entry - 1);
		if (strncmp(name, group, 2) == 0)
			rc = find_file(at->nodes, name, w, out);
	}
	if (rc == -ENOENT)
		*out = (struct item){.expires = true};
	return rc;
}

/* LISTS */

static int diff_ids_list(struct node_list *l, struct waiter *w)
{
	(void)l;
	(void)w;
	return 0;
}

static int next_group(struct node_list *l, struct item *out)
{
	struct image_set *set = image_list_get(l->at.nodes->list);
	bool has = false;

	while (!has && l->cookie < 256)
		has = has_group(set, (unsigned)l->cookie++);
	image_set_unref(set);
	if (!has)
		return 0;
	describe_dir(l->at.nodes, ROW_DIFF_GROUP, (uint32_t)l->cookie, out);
	snprintf(l->name, sizeof(l->name), "%02x", (unsigned)l->cookie - 1);
	return 1;
}

/* Does an earlier image have it, too? */
static bool is_known(const struct image_set *set, size_t n, const struct digest *d)
{
	const struct image *img;
	size_t i, layer;

	for (i = 0; i < n; i++) {
		img = set->images[i].image;
		for (layer = 0; layer < img->n_layers; layer++) {
			if (digest_equal(&img->diff_ids[layer], d))
				return true;
		}
	}
	return false;
}

static bool is_in_group(const struct image_set *set, size_t image, size_t layer,
			unsigned byte)
{
	const struct image *img = set->images[image].image;

	return img->diff_ids[layer].bytes[0] == byte && is_listed(img, layer) &&
	       !is_known(set, image, &img->diff_ids[layer]);
}

/* A cookie counts all layers of all images. A file's size is for the one who looks it up. */
static int next_file(struct node_list *l, struct item *out)
{
	struct image_set *set = image_list_get(l->at.nodes->list);
	unsigned byte = l->at.node.entry - 1;
	char hex[DIGEST_TEXT_MAX];
	uint64_t i, layer;
	int rc = 0;

	for (; rc == 0; l->cookie++) {
		i = l->cookie / NODE_LAYERS_MAX;
		layer = l->cookie % NODE_LAYERS_MAX;
		if (i >= set->n)
			break;
		if (layer >= set->images[i].image->n_layers ||
		    !is_in_group(set, i, layer, byte))
			continue;
		snprintf(l->name, sizeof(l->name), "%s.erofs",
			 digest_hex(&set->images[i].image->diff_ids[layer], hex));
		*out = (struct item){
			.attr = {.st_ino = node_ino(ROW_DIFF_FILE, (uint32_t)l->cookie),
				 .st_mode = S_IFREG | 0444}};
		rc = 1;
	}
	image_set_unref(set);
	return rc;
}

static int diff_ids_next(struct node_list *l, struct item *out)
{
	if (l->at.node.layer == ROW_DIFF_GROUP)
		return next_file(l, out);
	if (l->at.node.layer == ROW_DIFF_SHA256)
		return next_group(l, out);
	if (l->cookie > 0)
		return 0;
	l->cookie = 1;
	strcpy(l->name, "sha256");
	describe_dir(l->at.nodes, ROW_DIFF_SHA256, 1, out);
	return 1;
}

static int diff_ids_parent(struct node_list *l, struct item *out)
{
	describe_dir(l->at.nodes,
		     l->at.node.layer == ROW_DIFF_GROUP ? ROW_DIFF_SHA256 : ROW_TOP, 1,
		     out);
	return 0;
}

const struct node_ops diff_ids_ops = {
	.describe = diff_ids_describe,
	.lookup = diff_ids_lookup,
	.list = diff_ids_list,
	.next = diff_ids_next,
	.parent = diff_ids_parent,
};
