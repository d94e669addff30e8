/* SPDX-License-Identifier: MIT */
#include "tar/index/tree.h"

#include <errno.h>
#include <pthread.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "tar/archive/entry.h"
#include "tar/index/flat.h"
#include "tar/index/index.h"
#include "tar/index/draft.h"
#include "tar/index/whiteouts.h"
#include "tar/index/writer.h"

/* The kernel's own limit: a longer chain of symlinks leads nowhere. */
#define SYMLINKS_MAX 40

/*
 * A path and the symlinks on its way. The limit is ours, so that no entry can make it
 * large.
 */
#define WALK_MAX (16 * 1024)

/* The kernel's dev_t has 12 and 20 bits. */
#define DEVICE_MAJOR_MAX 0xfff
#define DEVICE_MINOR_MAX 0xfffff

/* Enough text to see what is wrong. The count tells how often. */
#define SKIPPED_MAX (16 * 1024)

struct tree {
	struct draft draft;
	struct writer *writer;
	pthread_mutex_t mutex; /* guards writer, until the tree is finished */
	struct flat flat;
	struct buf pending; /* u32 nodes: hard links whose target did not exist yet */
	/*
	 * The directory of the last entry, because the next entry is mostly in it, too.
	 */
	char last_dir[INDEX_PATH_MAX + 1];
	size_t last_dir_len;
	uint32_t last_dir_node; /* NODE_NONE: invalid */
};

int tree_new(int fd, struct tree **out)
{
	struct tree *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->mutex, NULL);
	t->last_dir_node = NODE_NONE;
	buf_init(&t->pending, INDEX_ENTRIES_MAX * sizeof(uint32_t));
	flat_init(&t->flat, SKIPPED_MAX);
	rc = draft_init(&t->draft);
	if (rc == 0)
		rc = writer_new(fd, &t->writer);
	if (rc < 0) {
		tree_free(t);
		return rc;
	}
	t->draft.rows[0].mode = S_IFDIR | 0755;
	t->draft.rows[0].flags = ENTRY_IMPLIED;
	/*
	 * Digests and spans are written as they arrive: they need no sorting, and would
	 * be half of the memory.
	 */
	writer_begin(t->writer, SECTION_UNITS);
	*out = t;
	return 0;
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	writer_free(t->writer);
	draft_release(&t->draft);
	flat_release(&t->flat);
	buf_release(&t->pending);
	pthread_mutex_destroy(&t->mutex);
	free(t);
}

void tree_set_max(struct tree *t, uint32_t n)
{
	t->draft.max = n;
}

uint32_t tree_count(const struct tree *t)
{
	return t->draft.n;
}

/* Adds a directory that an entry below it implies. */
static int add_implied(struct tree *t, uint32_t parent, const char *name, size_t len,
		       uint32_t *id)
{
	int rc = draft_add(&t->draft, parent, name, len, id);

	if (rc < 0)
		return rc;
	t->draft.rows[*id].mode = S_IFDIR | 0755;
	t->draft.rows[*id].flags = ENTRY_IMPLIED;
	return 0;
}

/*
 * Cleans a path as unpackers do: no empty components, no `.`, and `..` removes the
 * component before it, down to the root. Returns the length in @out, which has room for
 * @len + 1.
 */
static size_t clean_path(const char *path, size_t len, char *out)
{
	size_t n = 0, at = 0;

	while (at < len) {
		const char *slash = memchr(path + at, '/', len - at);
		size_t part = slash ? (size_t)(slash - path) - at : len - at;

		if (part == 2 && path[at] == '.' && path[at + 1] == '.') {
			while (n > 0 && out[--n] != '/')
				;
		} else if (part > 0 && !(part == 1 && path[at] == '.')) {
			if (n > 0)
				out[n++] = '/';
			memmove(out + n, path + at, part);
			n += part;
		}
		at += part + 1;
	}
	out[n] = '\0';
	return n;
}

/*
 * The archive has a file, and later something below its path. Other tools refuse such an
 * archive; here the later entry is shown.
 */
static void lose_file(struct tree *t, uint32_t node)
{
	char path[INDEX_PATH_MAX + 1];
	size_t at = sizeof(path);
	uint32_t id;

	for (id = node; id != 0; id = t->draft.rows[id].parent) {
		const struct index_row *row = &t->draft.rows[id];

		if (row->name_len + 1u > at)
			break;
		at -= row->name_len + 1u;
		path[at] = '/';
		memcpy(path + at + 1, t->draft.strings.data + row->name, row->name_len);
	}
	flat_skip(&t->flat, path + at + 1, sizeof(path) - at - 1,
		  "a file that a later entry uses as a directory");
	draft_kill(&t->draft, node);
}

enum walk_mode {
	WALK_FIND, /* a missing component is -ENOENT */
	/* a missing component, or one that is no directory, becomes a directory */
	WALK_MAKE,
};

/*
 * Finds the directory that @path (of @len bytes) names, following symlinks as a chroot in
 * the layer would. -ENOENT, -ELOOP, -ENAMETOOLONG; -E2BIG, -ENOMEM.
 */
static int walk_path(struct tree *t, const char *path, size_t len, enum walk_mode mode,
		     uint32_t *out)
{
	char buf[WALK_MAX];
	/* at the end, so that link texts can be put in front */
	char *rest = buf + sizeof(buf) - len;
	char *end = buf + sizeof(buf);
	unsigned links = 0;
	uint32_t dir = 0, node;
	int rc;

	memcpy(rest, path, len);
	while (rest < end) {
		char *slash = memchr(rest, '/', (size_t)(end - rest));
		size_t part = (size_t)((slash ? slash : end) - rest);
		const struct index_row *row;
		const char *name = rest;

		rest += part + (slash != NULL);
		if (part == 0 || (part == 1 && name[0] == '.'))
			continue;
		if (part == 2 && name[0] == '.' && name[1] == '.') {
			dir = t->draft.rows[dir].parent;
			continue;
		}
		if (part > INDEX_NAME_MAX)
			return -ENAMETOOLONG;
		node = draft_find(&t->draft, dir, name, part);
		row = node == NODE_NONE ? NULL : &t->draft.rows[node];
		if (row)
			row = &t->draft.rows[row->inode];
		if (row && node_is_symlink(row)) {
			if (++links > SYMLINKS_MAX)
				return -ELOOP;
			if (row->b == 0 || row->b + 1 > (size_t)(rest - buf))
				return -ENAMETOOLONG;
			*--rest = '/';
			rest -= row->b;
			memcpy(rest, t->draft.strings.data + row->a, row->b);
			if (*rest == '/')
				dir = 0;
			continue;
		}
		if (!row || !node_is_dir(row)) {
			if (mode == WALK_FIND)
				return -ENOENT;
			if (row)
				lose_file(t, node);
			rc = add_implied(t, dir, name, part, &node);
			if (rc < 0)
				return rc;
		}
		dir = node;
	}
	*out = dir;
	return 0;
}

/* Finds the directory for an entry, which is mostly that of the entry before. */
static int parent_of(struct tree *t, const char *path, size_t len, uint32_t *out)
{
	int rc;

	if (t->last_dir_node != NODE_NONE && len == t->last_dir_len &&
	    memcmp(path, t->last_dir, len) == 0) {
		*out = t->last_dir_node;
		return 0;
	}
	rc = walk_path(t, path, len, WALK_MAKE, out);
	if (rc < 0)
		return rc;
	memcpy(t->last_dir, path, len);
	t->last_dir_len = len;
	t->last_dir_node = *out;
	return 0;
}

/* Splits a cleaned path before its last component. */
static size_t dir_len(const char *path, size_t len, const char **name, size_t *name_len)
{
	const char *slash = memrchr(path, '/', len);

	*name = slash ? slash + 1 : path;
	*name_len = len - (size_t)(*name - path);
	return slash ? (size_t)(slash - path) : 0;
}

/*
 * Finds what the cleaned target of a hard link is now. -ENOENT, or the errors of
 * walk_path().
 */
static int find_target(struct tree *t, const char *path, size_t len, uint32_t *out)
{
	const char *name;
	size_t name_len;
	uint32_t dir, node;
	size_t dirs = dir_len(path, len, &name, &name_len);
	int rc;

	if (len == 0) {
		*out = 0;
		return 0;
	}
	rc = walk_path(t, path, dirs, WALK_FIND, &dir);
	if (rc < 0)
		return rc;
	if (name_len > INDEX_NAME_MAX)
		return -ENAMETOOLONG;
	node = draft_find(&t->draft, dir, name, name_len);
	if (node == NODE_NONE)
		return -ENOENT;
	*out = node;
	return 0;
}

/*
 * Sets all that an entry says about its inode. @row is new, or a directory that is
 * repeated.
 */
static int fill_row(struct tree *t, struct index_row *row, const struct tar_entry *e)
{
	uint32_t at;
	int rc;

	row->mode = (uint16_t)e->mode;
	row->uid = e->uid;
	row->gid = e->gid;
	row->mtime = e->mtime;
	row->mtime_ns = e->mtime_ns;
	row->xattrs = 0;
	switch (e->mode & S_IFMT) {
	case S_IFREG:
		row->size = e->size;
		row->data = e->data;
		if (e->is_sparse) {
			row->flags |= ENTRY_SPARSE;
			pthread_mutex_lock(&t->mutex);
			rc = flat_add_extents(&t->flat, t->writer, e, &row->data);
			pthread_mutex_unlock(&t->mutex);
			if (rc < 0)
				return rc;
		}
		break;
	case S_IFLNK:
		rc = draft_add_text(&t->draft, e->link, e->link_len, &at);
		if (rc < 0)
			return rc;
		row->mode = S_IFLNK | 0777; /* the only mode of symlinks on Linux */
		row->a = at;
		row->b = (uint32_t)e->link_len;
		row->size = e->link_len;
		break;
	case S_IFCHR:
	case S_IFBLK:
		row->a = e->rdev_major;
		row->b = e->rdev_minor;
		break;
	}
	if (e->n_xattrs == 0)
		return 0;
	pthread_mutex_lock(&t->mutex);
	rc = flat_add_xattrs(&t->flat, t->writer, e->xattrs, e->n_xattrs, &row->xattrs);
	pthread_mutex_unlock(&t->mutex);
	return rc;
}

/*
 * Finds the node to fill: an existing directory if the entry is one too, else a new node
 * that replaces the name.
 */
static int place_node(struct tree *t, uint32_t dir, const char *name, size_t len,
		      bool is_dir, uint32_t *out)
{
	uint32_t old = draft_find(&t->draft, dir, name, len);

	if (old != NODE_NONE && is_dir && node_is_dir(&t->draft.rows[old])) {
		t->draft.rows[old].flags &= (uint16_t)~ENTRY_IMPLIED;
		*out = old;
		return 0;
	}
	if (old != NODE_NONE) {
		draft_kill(&t->draft, old);
		t->last_dir_node = NODE_NONE;
	}
	return draft_add(&t->draft, dir, name, len, out);
}

/*
 * Adds a hard link. The target is looked up before the name is replaced, so that a link
 * from `a` to `a` changes nothing and does not lose `a`.
 */
static int add_link(struct tree *t, uint32_t dir, const char *name, size_t len,
		    const struct tar_entry *e)
{
	char path[INDEX_PATH_MAX + 1];
	uint32_t target = NODE_NONE, id;
	size_t path_len;
	int rc;

	if (e->link_len > INDEX_PATH_MAX)
		return flat_skip(&t->flat, e->path, e->path_len,
				 "a hard link to a name that is too long");
	path_len = clean_path(e->link, e->link_len, path);
	rc = find_target(t, path, path_len, &target);
	if (rc == -E2BIG || rc == -ENOMEM)
		return rc;
	if (rc == 0 && target == draft_find(&t->draft, dir, name, len))
		return 0;
	if (rc == 0 && node_is_dir(&t->draft.rows[target]))
		return flat_skip(&t->flat, e->path, e->path_len,
				 "a hard link to a directory");
	if (rc == 0)
		target = t->draft.rows[target].inode;
	rc = place_node(t, dir, name, len, false, &id);
	if (rc < 0)
		return rc;
	if (target != NODE_NONE && !(t->draft.rows[target].flags & ENTRY_FOREIGN)) {
		t->draft.rows[id].inode = target;
		return 0;
	}
	rc = draft_add_text(&t->draft, path, path_len, &t->draft.rows[id].a);
	if (rc < 0)
		return rc;
	t->draft.rows[id].b = (uint32_t)path_len;
	t->draft.rows[id].flags |= ENTRY_FOREIGN;
	return buf_append(&t->pending, &id, sizeof(id));
}

static int add_root(struct tree *t, const struct tar_entry *e)
{
	if (e->is_implied)
		return 0;
	if (e->is_hardlink || !S_ISDIR(e->mode))
		return flat_skip(&t->flat, e->path, e->path_len,
				 "the root can only be a directory");
	t->draft.rows[0].flags &= (uint16_t)~ENTRY_IMPLIED;
	return fill_row(t, &t->draft.rows[0], e);
}

/* Returns why no file system can have the entry at the cleaned path, or NULL. */
static const char *why_impossible(const struct tar_entry *e, const char *name,
				  size_t name_len)
{
	size_t most = INDEX_NAME_MAX;

	if (e->is_fragment)
		return "the rest of a file that begins in another archive";
	if (whiteout_is_marker(name, name_len))
		most += INDEX_MARKER_LEN; /* which are not part of the hidden name */
	if (name_len > most)
		return "a name of more than 255 bytes";
	if (e->is_hardlink)
		return NULL;
	if (S_ISLNK(e->mode) && (e->link_len == 0 || e->link_len > INDEX_PATH_MAX))
		return e->link_len ? "a symlink to a name that is too long"
				   : "a symlink to nothing";
	if ((S_ISCHR(e->mode) || S_ISBLK(e->mode)) &&
	    (e->rdev_major > DEVICE_MAJOR_MAX || e->rdev_minor > DEVICE_MINOR_MAX))
		return "a device number that Linux does not have";
	return NULL;
}

static int add_named(struct tree *t, const struct tar_entry *e, const char *path,
		     size_t len, uint32_t *file)
{
	const char *name, *why;
	size_t name_len, dirs = dir_len(path, len, &name, &name_len);
	uint32_t dir, id;
	int rc;

	why = why_impossible(e, name, name_len);
	if (why)
		return flat_skip(&t->flat, path, len, "%s", why);
	rc = parent_of(t, path, e->is_implied ? len : dirs, &dir);
	if (rc == 0 && e->is_implied)
		return 0;
	if (rc == -ENAMETOOLONG || rc == -ELOOP)
		return flat_skip(&t->flat, path, len, "its directory is invalid: %s",
				 strerror(-rc));
	if (rc == 0 && e->is_hardlink)
		return add_link(t, dir, name, name_len, e);
	if (rc == 0)
		rc = place_node(t, dir, name, name_len, S_ISDIR(e->mode), &id);
	if (rc == 0)
		rc = fill_row(t, &t->draft.rows[id], e);
	if (rc == 0 && S_ISREG(e->mode))
		*file = id;
	return rc;
}

static int refuse_size(const struct tree *t, struct err *e)
{
	if (t->flat.xattrs_len > FLAT_XATTRS_MAX)
		return err_set(e, -E2BIG, "more than %u MiB of extended attributes",
			       FLAT_XATTRS_MAX >> 20);
	if (t->flat.extents_len > FLAT_EXTENTS_MAX)
		return err_set(e, -E2BIG, "more than %u MiB of maps of sparse files",
			       FLAT_EXTENTS_MAX >> 20);
	if (t->draft.n >= t->draft.max)
		return err_set(e, -E2BIG, "more than %u entries", t->draft.max);
	return err_set(e, -E2BIG,
		       "names and links of more than %u MiB and %u bytes for each entry",
		       DRAFT_TEXT_MIN >> 20, DRAFT_TEXT_EACH);
}

int tree_add(struct tree *t, const struct tar_entry *e, uint32_t *file, struct err *err)
{
	char path[INDEX_PATH_MAX + 1];
	size_t len;
	int rc;

	*file = TREE_NO_FILE;
	if (e->path_len > INDEX_PATH_MAX)
		return flat_skip(&t->flat, e->path, e->path_len, "a path of %zu bytes",
				 e->path_len);
	len = clean_path(e->path, e->path_len, path);
	rc = len == 0 ? add_root(t, e) : add_named(t, e, path, len, file);
	if (rc == 0 && e->n_lost > 0) {
		flat_skip(&t->flat, path, len,
			  "its attribute %.64s is not one that Linux can have", e->lost);
		t->flat.n_skipped += (uint32_t)e->n_lost - 1;
	}
	return rc == -E2BIG ? refuse_size(t, err) : rc;
}

void tree_add_skipped(struct tree *t, uint32_t n, const char *text, size_t len)
{
	flat_add_skipped(&t->flat, n, text, len);
}

void tree_set_digest(struct tree *t, uint32_t file, const uint8_t sha256[32])
{
	pthread_mutex_lock(&t->mutex);
	writer_append(t->writer, sha256, INDEX_UNIT);
	t->draft.rows[file].digest = (uint32_t)(writer_tell(t->writer) / INDEX_UNIT);
	pthread_mutex_unlock(&t->mutex);
}

int tree_add_span(struct tree *t, const struct span *sp)
{
	int rc;

	pthread_mutex_lock(&t->mutex);
	rc = flat_add_span(&t->flat, t->writer, sp);
	pthread_mutex_unlock(&t->mutex);
	return rc;
}

/*
 * Resolves a link that came before its target: some archives are sorted by what is read
 * first. A chain of such links is followed to its end. Returns 0, or 1 if the link is
 * left out because the chain is a cycle, or longer than any real one, or ends at a
 * directory.
 */
static int bind_late(struct tree *t, uint32_t id)
{
	struct index_row *row = &t->draft.rows[id];
	uint32_t target = id;
	unsigned hops;
	int rc;

	for (hops = 0; hops < SYMLINKS_MAX; hops++) {
		const struct index_row *at = &t->draft.rows[target];

		rc = find_target(t, t->draft.strings.data + at->a, at->b, &target);
		if (rc == -E2BIG || rc == -ENOMEM)
			return rc;
		if (rc < 0) { /* not in this layer; its end may be in a lower one */
			row->a = at->a;
			row->b = at->b;
			return 0;
		}
		target = t->draft.rows[target].inode;
		if (!(t->draft.rows[target].flags & ENTRY_FOREIGN))
			break;
	}
	if (hops < SYMLINKS_MAX && !node_is_dir(&t->draft.rows[target])) {
		row->flags &= (uint16_t)~ENTRY_FOREIGN;
		row->a = row->b = 0;
		row->inode = target;
		return 0;
	}
	flat_skip(&t->flat, t->draft.strings.data + row->name, row->name_len,
		  "a hard link %s",
		  hops < SYMLINKS_MAX ? "to a directory" : "in a circle of hard links");
	return 1;
}

/*
 * Links are left out at the end, so that every link of a cycle is recognised as part of
 * it.
 */
static int bind_all(struct tree *t)
{
	uint32_t *ids = (uint32_t *)(void *)t->pending.data;
	size_t i, n = t->pending.len / sizeof(*ids), n_out = 0;
	int rc;

	for (i = 0; i < n; i++) {
		if (t->draft.rows[ids[i]].flags & NODE_DEAD)
			continue;
		rc = bind_late(t, ids[i]);
		if (rc < 0)
			return rc;
		if (rc > 0)
			ids[n_out++] = ids[i];
	}
	for (i = 0; i < n_out; i++)
		draft_kill(&t->draft, ids[i]);
	return 0;
}

int tree_finish(struct tree *t, const struct index_info *info, struct err *e)
{
	int rc = bind_all(t);

	if (rc < 0)
		return rc;
	whiteouts_mark(&t->draft);
	rc = flat_write(&t->flat, &t->draft, t->writer, info);
	if (rc < 0)
		return err_set(e, rc, "cannot write the index: %s", strerror(-rc));
	return 0;
}
