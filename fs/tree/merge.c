/* SPDX-License-Identifier: MIT */
/*
 * Directories by their node, names in them, and what is shown of either. collect.c
 * decides a single name; here names are put together to paths.
 *
 * A directory's node names an entry of the topmost layer that has a say in it. Its
 * path is that entry's; walked down from the root it gives the list of all layers
 * that have a say. That costs a search per component and layer, some microseconds,
 * and the last thousand results are kept: so no table grows with what was visited.
 */
#include "fs/tree/merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/tree/match.h"
#include "fs/tree/dir_cache.h"
#include "fs/tree/identity.h"
#include "fs/tree/links.h"

struct merge {
	uint32_t image;
	struct dircache *cache;
	struct links links;
	uint64_t *dir_seeds; /* a layer's part in the st_ino of directories */
	size_t n;
	struct merge_layer layers[];
};

const struct merge_layer *merge_layers(const struct merge *m)
{
	return m->layers;
}

/* The root as the lowest @n layers give it. */
static int find_root(const struct merge *m, size_t n, struct match *out)
{
	struct entry e;
	int rc;

	match_init(out);
	out->is_dir = true;
	while (n-- > 0) {
		rc = index_entry(m->layers[n].index, 0, &e);
		if (rc < 0)
			return rc == -ENOENT ? -EBADMSG : rc;
		if (match_add(out, (uint32_t)n, &e))
			break;
	}
	return 0;
}

/* One name further down from the directory @f, in place. */
static int step(const struct merge *m, struct match *f, const char *name, size_t len)
{
	struct place contributors[NODE_LAYERS_MAX];
	size_t n = f->n;

	memcpy(contributors, f->contributors, n * sizeof(*contributors));
	return match_name(m->layers, contributors, n, name, len, NULL, f);
}

/*
 * What the lowest @n layers show at a path, following nothing. 0, -ENOENT, -EBADMSG.
 */
static int find_path(const struct merge *m, size_t n, const char *path, size_t len,
		     struct match *f)
{
	const char *end = path + len, *slash;
	int rc = find_root(m, n, f);

	while (rc == 0 && path < end) {
		slash = memchr(path, '/', (size_t)(end - path));
		if (!slash)
			slash = end;
		if (!f->is_dir || name_is_hidden(path, (size_t)(slash - path)))
			return -ENOENT;
		rc = step(m, f, path, (size_t)(slash - path));
		path = slash + (slash < end);
	}
	return rc;
}

/* The ids on the way from the root (not among them) to @at, the last one first. */
static int trail(const struct index *ix, uint32_t at, uint32_t **out, size_t *n)
{
	uint32_t *ids = NULL, *more;
	size_t len = 0, room = 0;
	struct entry e;
	int rc = 0;

	while (at != 0) {
		rc = index_entry(ix, at, &e);
		/* More ancestors than entries: a ring, which no sound index has. */
		if (rc < 0 || len >= index_info(ix)->n_entries) {
			free(ids);
			return -EBADMSG;
		}
		if (len == room) {
			room = room ? 2 * room : 32;
			more = realloc(ids, room * sizeof(*ids));
			if (!more) {
				free(ids);
				return -ENOMEM;
			}
			ids = more;
		}
		ids[len++] = at;
		at = e.parent;
	}
	*out = ids;
	*n = len;
	return 0;
}

/* The path of @at, as all layers show it. */
static int find_place(const struct merge *m, struct place at, struct match *f,
		      uint64_t *path)
{
	const struct index *ix = m->layers[at.layer].index;
	uint32_t *ids = NULL;
	struct entry e;
	size_t n = 0;
	int rc;

	rc = trail(ix, at.entry, &ids, &n);
	if (rc < 0)
		return rc;
	rc = find_root(m, m->n, f);
	while (rc >= 0 && n-- > 0) {
		rc = index_entry(ix, ids[n], &e);
		if (rc == 0)
			rc = step(m, f, e.name, e.name_len);
		if (rc == 0 && !f->is_dir)
			rc = -ENOENT;
		if (rc == 0)
			*path = identity_path(*path, e.name, e.name_len);
	}
	free(ids);
	return rc;
}

static uint64_t dir_node(const struct merge *m, const struct place *contributors,
			 size_t n)
{
	struct node node = {.kind = NODE_MERGED, .image = m->image};

	if (n > 0) {
		node.layer = contributors[0].layer;
		node.entry = contributors[0].entry;
	}
	return node_pack(&node);
}

/* Of what it is: all that contribute, and who describes it, if that is another one. */
static uint64_t dir_ino(const struct merge *m, const struct match *f)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < f->n; i++)
		sum = node_ino_add(sum, m->dir_seeds[f->contributors[i].layer],
				   f->contributors[i].entry);
	if (f->n > 0 && f->is_described && f->layer < f->contributors[f->n - 1].layer)
		sum = node_ino_add(sum, m->dir_seeds[f->layer], f->entry.id);
	return node_ino_end(sum);
}

/* Makes the directory and keeps it for the next who asks. */
static int keep_dir(struct merge *m, const struct match *f, uint64_t path,
		    struct merged_dir **out)
{
	struct merged_dir *dir = malloc(sizeof(*dir) +
					f->n * sizeof(dir->contributors[0]));

	if (!dir)
		return -ENOMEM;
	dir->refs = 1;
	dir->node = dir_node(m, f->contributors, f->n);
	dir->ino = dir_ino(m, f);
	dir->path = path;
	dir->is_described = f->is_described;
	if (f->is_described)
		dir->described_by = (struct place){.layer = f->layer,
						   .entry = f->entry.id};
	dir->n = f->n;
	memcpy(dir->contributors, f->contributors, f->n * sizeof(dir->contributors[0]));
	dircache_put(m->cache, dir);
	*out = dir;
	return 0;
}

int merge_dir(struct merge *m, struct place at, struct merged_dir **out)
{
	uint64_t path = IDENTITY_ROOT;
	struct match f;
	int rc;

	if (m->n > 0 ? at.layer >= m->n : at.entry != 0)
		return -ENOENT;
	*out = dircache_get(m->cache, dir_node(m, &at, 1));
	if (*out)
		return 0;
	rc = m->n > 0 ? find_place(m, at, &f, &path) : find_root(m, 0, &f);
	return rc != 0 ? rc : keep_dir(m, &f, path, out);
}

int merge_root(struct merge *m, struct merged_dir **out)
{
	struct place top = {.layer = m->n ? (uint32_t)m->n - 1 : 0, .entry = 0};

	return merge_dir(m, top, out);
}

int merge_parent(struct merge *m, const struct merged_dir *dir, struct merged_dir **out)
{
	struct place at = {0};
	struct entry e;
	int rc;

	if (dir->n > 0) {
		at = dir->contributors[0];
		rc = index_entry(m->layers[at.layer].index, at.entry, &e);
		if (rc < 0)
			return rc;
		at.entry = e.parent;
	}
	return merge_dir(m, at, out);
}

/* Of @by, unless that is NULL. */
static void show_dir(const struct merge *m, uint32_t layer, const struct entry *by,
		     struct attributes *out)
{
	out->is_dir = true;
	out->is_described = by != NULL;
	out->nlink = 1;
	if (by) {
		out->entry = *by;
		out->layer = layer;
		out->slot = m->layers[layer].slot;
	}
}

/* A file with one name is where its entry is: @dir is around that, too. */
static int show_file(const struct merge *m, struct place at, uint64_t dir,
		     struct attributes *out)
{
	const struct merge_layer *l = &m->layers[at.layer];
	struct node node = {.kind = NODE_FILE, .layer = l->slot, .entry = at.entry};

	out->is_dir = false;
	out->is_described = true;
	out->layer = at.layer;
	out->slot = l->slot;
	out->node = node_pack(&node);
	out->nlink = out->entry.nlink + links_extra(&m->links, out->slot, at.entry);
	out->ino = node_ino(l->seed, at.entry);
	return l->by_place ? 0
			   : identity_ino(l->index, &out->entry, out->nlink, l->seed, dir,
					  &out->ino);
}

int merge_attributes(const struct merge *m, const struct match *f, uint64_t dir,
		     struct attributes *out)
{
	struct place at = {.layer = f->layer, .entry = f->entry.inode};
	const struct place *to;
	int rc;

	if (f->is_dir) {
		show_dir(m, f->layer, f->is_described ? &f->entry : NULL, out);
		out->node = dir_node(m, f->contributors, f->n);
		out->ino = dir_ino(m, f);
		return 0;
	}
	if (f->entry.flags & ENTRY_FOREIGN) {
		at.entry = f->entry.id;
		to = links_find(&m->links, at);
		if (!to)
			return -ENOENT;
		at = *to;
	}
	if (at.layer == f->layer && at.entry == f->entry.id) {
		out->entry = f->entry;
	} else {
		rc = index_entry(m->layers[at.layer].index, at.entry, &out->entry);
		if (rc < 0)
			return rc == -ENOENT ? -EBADMSG : rc;
	}
	return show_file(m, at, dir, out);
}

int merge_describe(const struct merge *m, const struct merged_dir *dir,
		   struct attributes *out)
{
	const struct place *by = &dir->described_by;
	struct entry e;
	int rc = 0;

	if (dir->is_described)
		rc = index_entry(m->layers[by->layer].index, by->entry, &e);
	if (rc < 0)
		return rc == -ENOENT ? -EBADMSG : rc;
	show_dir(m, by->layer, dir->is_described ? &e : NULL, out);
	out->node = dir->node;
	out->ino = dir->ino;
	return 0;
}

int merge_lookup(struct merge *m, const struct merged_dir *dir, const char *name,
		 size_t len, struct attributes *out)
{
	struct merged_dir *kept;
	struct match f;
	int rc;

	if (name_is_hidden(name, len))
		return -ENOENT;
	rc = match_name(m->layers, dir->contributors, dir->n, name, len, NULL, &f);
	if (rc == 0)
		rc = merge_attributes(m, &f, dir->path, out);
	/* It is likely to be asked for next; if memory is short, then not from here. */
	if (rc == 0 && f.is_dir &&
	    keep_dir(m, &f, identity_path(dir->path, name, len), &kept) == 0)
		merged_dir_unref(kept);
	return rc;
}

/*
 * HARD LINKS OUT OF A LAYER. The target is what the layers below show at the path,
 * itself perhaps such a link of a lower layer: base first, so that is bound already.
 */
static int bind_link(const struct merge *m, size_t layer, const struct entry *link,
		     struct place *to)
{
	struct attributes shown;
	struct match f;
	int rc;

	rc = find_path(m, layer, link->link, link->link_len, &f);
	if (rc == 0 && f.is_dir)
		rc = -ENOENT;
	if (rc == 0)
		rc = merge_attributes(m, &f, IDENTITY_ROOT,
				      &shown); /* for the place alone */
	if (rc == 0)
		*to = (struct place){.layer = shown.layer, .entry = shown.entry.id};
	return rc;
}

static int bind_layer(struct merge *m, size_t layer)
{
	const struct index *ix = m->layers[layer].index;
	uint32_t i, n = index_info(ix)->n_foreign;
	struct place from = {.layer = (uint32_t)layer}, to;
	struct entry e;
	int rc;

	rc = links_reserve(&m->links, n);
	for (i = 0; rc == 0 && i < n; i++) {
		rc = index_foreign(ix, i, &from.entry);
		if (rc == 0)
			rc = index_entry(ix, from.entry, &e);
		if (rc != 0)
			break;
		rc = bind_link(m, layer, &e, &to);
		if (rc == 0 || rc == -ENOENT)
			links_add(&m->links, from, rc == 0 ? &to : NULL);
		if (rc == -ENOENT)
			rc = 0;
	}
	links_sort(&m->links);
	return rc;
}

uint32_t merge_unbound(const struct merge *m)
{
	return m->links.n_unbound;
}

int merge_unbound_path(const struct merge *m, uint32_t i, char *path, size_t size,
		       uint32_t *layer)
{
	const struct link *link = m->links.all, *end = link + m->links.n;
	const struct index *ix;
	size_t n = 0, len = 0;
	uint32_t *ids = NULL;
	struct entry e;
	int rc;

	while (link < end && (link->to.layer != LINK_UNBOUND || i-- > 0))
		link++;
	if (link == end)
		return -ENOENT;
	ix = m->layers[link->from.layer].index;
	rc = trail(ix, link->from.entry, &ids, &n);
	while (rc == 0 && n-- > 0) {
		rc = index_entry(ix, ids[n], &e);
		if (rc == 0 && len < size)
			len += (size_t)snprintf(path + len, size - len, "%s%.*s",
						len ? "/" : "", (int)e.name_len, e.name);
	}
	free(ids);
	*layer = link->from.layer;
	return rc;
}

bool merge_target(const struct merge *m, uint32_t i, uint32_t *slot, uint32_t *inode,
		  uint32_t *n)
{
	const struct target *t = m->links.targets + i;

	if (i >= m->links.n_targets)
		return false;
	*slot = t->slot;
	*inode = t->inode;
	*n = t->n;
	return true;
}

/*
 * The same directory entry has the same subtree in any image, unless links lead out
 * of its layer: then what is below counts too.
 */
static void seed_dirs(struct merge *m)
{
	uint64_t below = 0;
	size_t i;

	for (i = 0; i < m->n; i++) {
		bool closed = index_info(m->layers[i].index)->n_foreign == 0;

		m->dir_seeds[i] = m->layers[i].seed;
		if (!closed)
			m->dir_seeds[i] = node_ino_add(below, m->layers[i].seed, 0);
		below = node_ino_add(below, m->layers[i].seed, 0);
	}
}

uint64_t merge_dir_seed(const struct merge *m, size_t layer)
{
	return m->dir_seeds[layer];
}

int merge_new(const struct merge_layer *layers, size_t n, uint32_t image,
	      struct merge **out)
{
	struct merge *m = calloc(1, sizeof(*m) + n * sizeof(*layers));
	size_t i;
	int rc = -ENOMEM;

	if (!m)
		return -ENOMEM;
	m->image = image;
	m->n = n;
	links_init(&m->links);
	if (n > 0)
		memcpy(m->layers, layers, n * sizeof(*layers));
	m->dir_seeds = calloc(n + 1, sizeof(*m->dir_seeds));
	if (!m->dir_seeds)
		goto out;
	rc = dircache_new(&m->cache);
	if (rc < 0)
		goto out;
	seed_dirs(m);
	for (i = 0; rc == 0 && i < n; i++)
		rc = bind_layer(m, i);
	if (rc == 0)
		rc = links_count(&m->links, m->layers);
out:
	if (rc < 0)
		merge_free(m);
	else
		*out = m;
	return rc;
}

void merge_free(struct merge *m)
{
	if (!m)
		return;
	dircache_free(m->cache);
	links_release(&m->links);
	free(m->dir_seeds);
	free(m);
}
