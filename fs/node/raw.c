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
#include "fs/image/options.h"
#include "tar/layer.h"

void raw_root(const struct view *v, uint32_t number, struct node *out)
{
	*out = (struct node){.kind = NODE_RAW, .image = v->number, .layer = number};
}

/* The layer of a node, its slot, and the directory's entry. */
static int find_dir(struct view *v, const struct node *dir, struct mount_layer **l,
		    struct entry *e)
{
	int r;

	if (dir->layer >= v->image->n_layers)
		return -ESTALE;
	*l = v->layers[dir->layer];
	if ((*l)->loaded < 0)
		return -EIO;
	r = index_entry(layer_index((*l)->layer), dir->entry, e);
	if (r == 0 && !S_ISDIR(e->mode))
		r = -ESTALE;
	return r == -ENOENT ? -ESTALE : r;
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
		     struct shown *out)
{
	struct node node = *of;

	node.entry = e->id;
	*out = (struct shown){
		.node = node_pack(&node),
		.ino = node_ino(dir_seed(v, of, l), e->id),
		.is_dir = true,
		.is_described = true,
		.layer = of->layer,
		.slot = v->layers[of->layer]->slot,
		.entry = *e,
		.nlink = 1,
	};
}

/*
 * A hard link to what a lower layer has is that file: its names are of one inode. While
 * another layer is broken nobody knows where it leads.
 */
static int show_file(struct view *v, const struct node *of, const struct mount_layer *l,
		     const struct entry *e, struct shown *out)
{
	struct found f;
	uint32_t slot = v->layers[of->layer]->slot;
	struct node node = {.kind = NODE_FILE, .layer = slot, .entry = e->inode};
	const struct index *ix = layer_index(l->layer);
	uint64_t dir;
	int r = identity_parent(ix, e, &dir);

	if (r < 0)
		return r;
	if (v->merge) {
		found_init(&f);
		f.is_described = true;
		f.layer = of->layer;
		f.entry = *e;
		return merge_show(v->merge, &f, dir, out);
	}
	if (e->flags & ENTRY_FOREIGN)
		return -ENOENT;
	*out = (struct shown){
		.node = node_pack(&node),
		.ino = node_ino(l->seed, e->inode),
		.is_described = true,
		.layer = of->layer,
		.slot = slot,
		.entry = *e,
	};
	if (e->inode != e->id)
		r = index_entry(ix, e->inode, &out->entry);
	out->nlink = out->entry.nlink;
	if (r == 0 && !v->mount->options->ino_unique)
		r = identity_ino(ix, &out->entry, out->nlink, l->seed, dir, &out->ino);
	return r == -ENOENT ? -EBADMSG : r;
}

static int show(struct view *v, const struct node *of, const struct mount_layer *l,
		const struct entry *e, struct shown *out)
{
	if (!S_ISDIR(e->mode))
		return show_file(v, of, l, e, out);
	show_dir(v, of, l, e, out);
	return 0;
}

int raw_describe(struct view *v, const struct node *dir, struct shown *out)
{
	struct mount_layer *l;
	struct entry e;
	int r = find_dir(v, dir, &l, &e);

	if (r == 0)
		show_dir(v, dir, l, &e, out);
	return r;
}

int raw_parent(struct view *v, const struct node *dir, struct shown *out)
{
	struct node parent = *dir;
	struct mount_layer *l;
	struct entry e;
	int r = find_dir(v, dir, &l, &e);

	if (r < 0)
		return r;
	parent.entry = e.parent;
	return raw_describe(v, &parent, out);
}

int raw_lookup(struct view *v, const struct node *dir, const char *name,
	       struct shown *out)
{
	struct mount_layer *l;
	struct entry e, child;
	int r = find_dir(v, dir, &l, &e);

	if (r == 0)
		r = index_find(layer_index(l->layer), &e, name, strlen(name), &child);
	return r < 0 ? r : show(v, dir, l, &child, out);
}

int raw_next(struct view *v, const struct node *dir, uint64_t *cookie, char *name,
	     struct shown *out)
{
	struct mount_layer *l;
	struct entry e, child;
	int r = find_dir(v, dir, &l, &e);

	while (r == 0 && *cookie < e.n_children) {
		r = index_entry(layer_index(l->layer), e.first_child + (uint32_t)*cookie,
				&child);
		if (r < 0)
			return -EBADMSG;
		++*cookie;
		if (child.name_len == 0 || child.name_len > NAME_MAX)
			continue;
		r = show(v, dir, l, &child, out);
		if (r == 0) {
			memcpy(name, child.name, child.name_len);
			name[child.name_len] = '\0';
			return 1;
		}
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}
