/* SPDX-License-Identifier: MIT */
/*
 * Applies the rules of match.c along paths, and finds the attributes of what they show. The
 * node of a directory gives an entry of its topmost contributor. The path of that entry,
 * walked from the root, gives all contributors. This costs one search per component and
 * layer, some microseconds, and the results used last are cached: no table grows with what
 * was visited.
 */
#include "fs/tree/merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "fs/tree/identity.h"
#include "fs/tree/links.h"
#include "fs/tree/match.h"
#include "fs/tree/node.h"

struct merge {
	uint32_t image;
	struct dir_cache cache;
	struct links links;
	uint64_t *dir_seeds; /* a layer's part in the st_ino of directories */
	size_t n;
	struct tree_layer layers[];
};

const struct tree_layer *merge_layers(const struct merge *m)
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

/* One name further down from the directory @match, in place. */
static int step_down(const struct merge *m, struct match *match, const char *name,
		     size_t len)
{
	struct place contributors[NODE_LAYERS_MAX];
	size_t n = match->n;

	memcpy(contributors, match->contributors, n * sizeof(*contributors));
	return match_name(m->layers, contributors, n, name, len, NULL, match);
}

/*
 * What the lowest @n layers show at a path, following nothing. 0, -ENOENT, -EBADMSG.
 */
static int find_path(const struct merge *m, size_t n, const char *path, size_t len,
		     struct match *match)
{
	const char *end = path + len, *slash;
	int rc = find_root(m, n, match);

	while (rc == 0 && path < end) {
		slash = memchr(path, '/', (size_t)(end - path));
		if (!slash)
			slash = end;
		if (!match->is_dir || match_hides(path, (size_t)(slash - path)))
			return -ENOENT;
		rc = step_down(m, match, path, (size_t)(slash - path));
		path = slash + (slash < end);
	}
	return rc;
}

/* The entries on the way from @at up to the root, without the root itself. */
static int list_ancestors(const struct index *ix, uint32_t at, uint32_t **out, size_t *n)
{
	uint32_t *ids = NULL;
	size_t len = 0;
	struct entry e;
	int rc = 0;

	while (rc == 0 && at != 0) {
		/* More ancestors than entries: a ring, which no sound index has. */
		if (index_entry(ix, at, &e) < 0 || len >= index_info(ix)->n_entries)
			rc = -EBADMSG;
		else
			rc = array_grow(&ids, len, sizeof(*ids));
		if (rc == 0) {
			ids[len++] = at;
			at = e.parent;
		}
	}
	if (rc < 0) {
		free(ids);
		return rc;
	}
	*out = ids;
	*n = len;
	return 0;
}

/* The path of @at, as all layers show it. */
static int find_place(const struct merge *m, struct place at, struct match *match,
		      uint64_t *path)
{
	const struct index *ix = m->layers[at.layer].index;
	uint32_t *ids = NULL;
	struct entry e;
	size_t n = 0;
	int rc;

	rc = list_ancestors(ix, at.entry, &ids, &n);
	if (rc < 0)
		return rc;
	rc = find_root(m, m->n, match);
	while (rc >= 0 && n-- > 0) {
		rc = index_entry(ix, ids[n], &e);
		if (rc == 0)
			rc = step_down(m, match, e.name, e.name_len);
		if (rc == 0 && !match->is_dir)
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

/* Made of all contributors, and of the layer that describes it if that is none of them. */
static uint64_t dir_ino(const struct merge *m, const struct match *match)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < match->n; i++)
		sum = node_ino_add(sum, m->dir_seeds[match->contributors[i].layer],
				   match->contributors[i].entry);
	if (match->n > 0 && match->is_described &&
	    match->layer < match->contributors[match->n - 1].layer)
		sum = node_ino_add(sum, m->dir_seeds[match->layer], match->entry.id);
	return node_ino_end(sum);
}

/* Makes the directory and caches it. */
static int make_dir(struct merge *m, const struct match *match, uint64_t path,
		    struct merged_dir **out)
{
	struct merged_dir *dir = merged_dir_new(match->n);

	if (!dir)
		return -ENOMEM;
	dir->node = dir_node(m, match->contributors, match->n);
	dir->ino = dir_ino(m, match);
	dir->path = path;
	dir->is_described = match->is_described;
	if (match->is_described)
		dir->described_by = (struct place){.layer = match->layer,
						   .entry = match->entry.id};
	memcpy(dir->contributors, match->contributors,
	       match->n * sizeof(dir->contributors[0]));
	dir_cache_put(&m->cache, dir);
	*out = dir;
	return 0;
}

int merge_dir(struct merge *m, struct place at, struct merged_dir **out)
{
	uint64_t path = IDENTITY_ROOT;
	struct match match;
	int rc;

	if (m->n > 0 ? at.layer >= m->n : at.entry != 0)
		return -ENOENT;
	*out = dir_cache_get(&m->cache, dir_node(m, &at, 1));
	if (*out)
		return 0;
	rc = m->n > 0 ? find_place(m, at, &match, &path) : find_root(m, 0, &match);
	return rc != 0 ? rc : make_dir(m, &match, path, out);
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

/* @by: the entry with its metadata, or NULL. */
static void describe_dir(const struct merge *m, uint32_t layer, const struct entry *by,
			 struct attributes *out)
{
	out->is_dir = true;
	out->is_described = by != NULL;
	out->nlink = 1;
	if (by) {
		out->entry = *by;
		out->layer = layer;
		out->mount_number = m->layers[layer].mount_number;
	}
}

/*
 * @dir: of the directory around the name. For a file with one name that is the directory
 * around its entry too.
 */
static int describe_file(const struct merge *m, struct place at, uint64_t dir,
			 struct attributes *out)
{
	const struct tree_layer *l = &m->layers[at.layer];
	struct node node = {
		.kind = NODE_FILE, .layer = l->mount_number, .entry = at.entry};

	out->is_dir = false;
	out->is_described = true;
	out->layer = at.layer;
	out->mount_number = l->mount_number;
	out->node = node_pack(&node);
	out->nlink = out->entry.nlink +
		     links_extra(&m->links, out->mount_number, at.entry);
	out->ino = node_ino(l->seed, at.entry);
	return l->by_place ? 0
			   : identity_ino(l->index, &out->entry, out->nlink, l->seed, dir,
					  &out->ino);
}

int merge_attributes(const struct merge *m, const struct match *match, uint64_t dir,
		     struct attributes *out)
{
	struct place at = {.layer = match->layer, .entry = match->entry.inode};
	const struct place *to;
	int rc;

	if (match->is_dir) {
		describe_dir(m, match->layer, match->is_described ? &match->entry : NULL,
			     out);
		out->node = dir_node(m, match->contributors, match->n);
		out->ino = dir_ino(m, match);
		return 0;
	}
	if (match->entry.flags & ENTRY_FOREIGN) {
		at.entry = match->entry.id;
		to = links_find(&m->links, at);
		if (!to)
			return -ENOENT;
		at = *to;
	}
	if (at.layer == match->layer && at.entry == match->entry.id) {
		out->entry = match->entry;
	} else {
		rc = index_entry(m->layers[at.layer].index, at.entry, &out->entry);
		if (rc < 0)
			return rc == -ENOENT ? -EBADMSG : rc;
	}
	return describe_file(m, at, dir, out);
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
	describe_dir(m, by->layer, dir->is_described ? &e : NULL, out);
	out->node = dir->node;
	out->ino = dir->ino;
	return 0;
}

int merge_lookup(struct merge *m, const struct merged_dir *dir, const char *name,
		 size_t len, struct attributes *out)
{
	struct merged_dir *child;
	struct match match;
	int rc;

	if (match_hides(name, len))
		return -ENOENT;
	rc = match_name(m->layers, dir->contributors, dir->n, name, len, NULL, &match);
	if (rc == 0)
		rc = merge_attributes(m, &match, dir->path, out);
	/* A directory is likely to be asked for next. Without memory it is made later. */
	if (rc == 0 && match.is_dir &&
	    make_dir(m, &match, identity_path(dir->path, name, len), &child) == 0)
		merged_dir_unref(child);
	return rc;
}

/* HARD LINKS OUT OF A LAYER */

/*
 * The target is what the lower layers show at the path. It may be such a link itself, which
 * is bound already, because the base comes first.
 */
static int bind_link(const struct merge *m, size_t layer, const struct entry *link,
		     struct place *to)
{
	struct attributes target;
	struct match match;
	int rc;

	rc = find_path(m, layer, link->link, link->link_len, &match);
	if (rc == 0 && match.is_dir)
		rc = -ENOENT;
	if (rc == 0)
		rc = merge_attributes(m, &match, IDENTITY_ROOT,
				      &target); /* not its ino */
	if (rc == 0)
		*to = (struct place){target.layer, target.entry.id};
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
	const struct link *link = m->links.list, *end = link + m->links.n;
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
	rc = list_ancestors(ix, link->from.entry, &ids, &n);
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

bool merge_target(const struct merge *m, uint32_t i, uint32_t *mount_number,
		  uint32_t *inode, uint32_t *n)
{
	const struct target *t = m->links.targets + i;

	if (i >= m->links.n_targets)
		return false;
	*mount_number = t->mount_number;
	*inode = t->inode;
	*n = t->n;
	return true;
}

/*
 * A directory entry has the same subtree in every image, unless links lead out of its layer:
 * then the number depends on the layers below too.
 */
static void seed_dirs(struct merge *m)
{
	uint64_t below = 0;
	size_t i;

	for (i = 0; i < m->n; i++) {
		bool is_closed = index_info(m->layers[i].index)->n_foreign == 0;

		m->dir_seeds[i] = m->layers[i].seed;
		if (!is_closed)
			m->dir_seeds[i] = node_ino_add(below, m->layers[i].seed, 0);
		below = node_ino_add(below, m->layers[i].seed, 0);
	}
}

uint64_t merge_dir_seed(const struct merge *m, size_t layer)
{
	return m->dir_seeds[layer];
}

int merge_new(const struct tree_layer *layers, size_t n, uint32_t image,
	      struct merge **out)
{
	struct merge *m = calloc(1, sizeof(*m) + n * sizeof(*layers));
	size_t i;
	int rc = -ENOMEM;

	if (!m)
		return -ENOMEM;
	m->image = image;
	m->n = n;
	dir_cache_init(&m->cache);
	if (n > 0)
		memcpy(m->layers, layers, n * sizeof(*layers));
	m->dir_seeds = calloc(n + 1, sizeof(*m->dir_seeds));
	if (m->dir_seeds) {
		rc = 0;
		seed_dirs(m);
	}
	for (i = 0; rc == 0 && i < n; i++)
		rc = bind_layer(m, i);
	if (rc == 0)
		rc = links_count(&m->links, m->layers);
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
	dir_cache_release(&m->cache);
	links_release(&m->links);
	free(m->dir_seeds);
	free(m);
}
