/* SPDX-License-Identifier: MIT */
#include "fs/node/raw.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/tree/match.h"
#include "fs/tree/identity.h"
#include "fs/tree/merge.h"
#include "fs/image/context.h"
#include "fs/options/options.h"
#include "tar/layer.h"

void raw_root(const struct view *v, uint32_t number, struct node *out)
{
	*out = (struct node){.kind = NODE_RAW, .image = v->number, .layer = number};
}

/* The layer of a node, its slot, and the directory's entry. */
static int find_dir(struct view *v, const struct node *dir, struct mount_layer **l,
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
 * As merge.c has it: of a layer whose hard links lead out of it the layers below count. While
 * one of them is broken such links are not there, so it is another tree than any image's.
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
		.mount_number = v->layers[of->layer]->slot,
		.entry = *e,
		.nlink = 1,
	};
}

/*
 * A hard link to what a lower layer has is that file: its names are of one inode. While
 * another layer is broken nobody knows where it leads.
 */
static int show_file(struct view *v, const struct node *of, const struct mount_layer *l,
		     const struct entry *e, struct attributes *out)
{
	struct match f;
	uint32_t slot = v->layers[of->layer]->slot;
	struct node node = {.kind = NODE_FILE, .layer = slot, .entry = e->inode};
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
		.mount_number = slot,
		.entry = *e,
	};
	if (e->inode != e->id)
		rc = index_entry(ix, e->inode, &out->entry);
	out->nlink = out->entry.nlink;
	if (rc == 0 && v->mount->options->ino == INO_CONTENT)
		rc = identity_ino(ix, &out->entry, out->nlink, l->seed, dir, &out->ino);
	return rc == -ENOENT ? -EBADMSG : rc;
}

static int show(struct view *v, const struct node *of, const struct mount_layer *l,
		const struct entry *e, struct attributes *out)
{
	if (!S_ISDIR(e->mode))
		return show_file(v, of, l, e, out);
	show_dir(v, of, l, e, out);
	return 0;
}

int raw_describe(struct view *v, const struct node *dir, struct attributes *out)
{
	struct mount_layer *l;
	struct entry e;
	int rc = find_dir(v, dir, &l, &e);

	if (rc == 0)
		show_dir(v, dir, l, &e, out);
	return rc;
}

int raw_parent(struct view *v, const struct node *dir, struct attributes *out)
{
	struct node parent = *dir;
	struct mount_layer *l;
	struct entry e;
	int rc = find_dir(v, dir, &l, &e);

	if (rc < 0)
		return rc;
	parent.entry = e.parent;
	return raw_describe(v, &parent, out);
}

int raw_lookup(struct view *v, const struct node *dir, const char *name,
	       struct attributes *out)
{
	struct mount_layer *l;
	struct entry e, child;
	int rc = find_dir(v, dir, &l, &e);

	if (rc == 0)
		rc = index_find(layer_index(l->layer), &e, name, strlen(name), &child);
	return rc < 0 ? rc : show(v, dir, l, &child, out);
}

int raw_next(struct view *v, const struct node *dir, uint64_t *cookie, char *name,
	     struct attributes *out)
{
	struct mount_layer *l;
	struct entry e, child;
	int rc = find_dir(v, dir, &l, &e);

	while (rc == 0 && *cookie < e.n_children) {
		rc = index_entry(layer_index(l->layer), e.first_child + (uint32_t)*cookie,
				 &child);
		if (rc < 0)
			return -EBADMSG;
		++*cookie;
		if (child.name_len == 0 || child.name_len > NAME_MAX)
			continue;
		rc = show(v, dir, l, &child, out);
		if (rc == 0) {
			memcpy(name, child.name, child.name_len);
			name[child.name_len] = '\0';
			return 1;
		}
		if (rc == -ENOENT)
			rc = 0;
	}
	return rc;
}
