/* SPDX-License-Identifier: MIT */
/*
 * The path in the header need not be that of the tree: a directory in it may be a symlink of
 * the layer. So it is followed as an unpacker would, and must end at the file's inode.
 */
#include "tar/file_check.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "tar/archive/preamble.h"
#include "tar/index/format.h"
#include "tar/layer.h"

/* As in tar/index/tree.c, which follows paths while the archive is read. */
#define SYMLINKS_MAX 40
#define WALK_MAX     (16 * 1024)

/* Reading the layer */

struct decoded_reader {
	struct layer *layer;
	const bool *cancelled;
};

static int decoded_read(void *arg, void *buf, size_t len, uint64_t off, struct err *e)
{
	const struct decoded_reader *rd = arg;
	char *to = buf;
	int rc = 0;

	while (len > 0 && rc == 0) {
		struct layer_data data;
		size_t piece = len;

		rc = layer_get(rd->layer, off, &piece, rd->cancelled, &data, e);
		if (rc < 0)
			break;
		if (data.fd < 0)
			memcpy(to, data.mem, piece);
		else if (fd_read_all(data.fd, to, piece, data.off) < 0)
			rc = err_set(e, -EIO, "cannot read from the store");
		layer_unget(rd->layer, &data);
		to += piece;
		off += piece;
		len -= piece;
	}
	return rc;
}

/* Following a path */

struct walk {
	const struct index *index;
	struct entry dir;
	char ahead[WALK_MAX]; /* the path that is still to be followed, at the end */
	char *at;
	unsigned links;
};

/* Puts the text of a symlink before what is ahead. */
static bool follow_link(struct walk *w, const struct entry *link)
{
	if (++w->links > SYMLINKS_MAX || link->link_len == 0 ||
	    link->link_len + 1 > (size_t)(w->at - w->ahead))
		return false;
	*--w->at = '/';
	w->at -= link->link_len;
	memcpy(w->at, link->link, link->link_len);
	return *w->at != '/' || index_entry(w->index, 0, &w->dir) == 0;
}

/* Enters a directory of the path. */
static bool enter(struct walk *w, const char *name, size_t len)
{
	struct entry e;

	if (len == 0 || (len == 1 && name[0] == '.'))
		return true;
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return index_entry(w->index, w->dir.parent, &w->dir) == 0;
	if (index_find(w->index, &w->dir, name, len, &e) < 0)
		return false;
	if (e.inode != e.id && index_entry(w->index, e.inode, &e) < 0)
		return false;
	if (S_ISLNK(e.mode))
		return follow_link(w, &e);
	w->dir = e;
	return S_ISDIR(e.mode);
}

struct named {
	const struct index *index;
	uint32_t inode;
};

/* Does the path lead to the inode? */
static bool is_named(void *arg, const char *path, size_t len)
{
	const struct named *n = arg;
	struct walk w = {.index = n->index};
	const char *name, *slash;
	struct entry e;

	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len > INDEX_PATH_MAX || index_entry(n->index, 0, &w.dir) < 0)
		return false;
	w.at = w.ahead + sizeof(w.ahead) - len;
	memcpy(w.at, path, len);
	for (;;) {
		size_t left = (size_t)(w.ahead + sizeof(w.ahead) - w.at);

		name = w.at;
		slash = memchr(name, '/', left);
		if (!slash)
			return index_find(n->index, &w.dir, name, left, &e) == 0 &&
			       e.inode == n->inode;
		w.at += slash - name + 1;
		if (!enter(&w, name, (size_t)(slash - name)))
			return false;
	}
}

int file_check(struct layer *l, const struct entry *file, const bool *cancelled,
	       struct err *e)
{
	struct decoded_reader rd = {l, cancelled};
	const struct index *ix = layer_index(l);
	struct named named = {ix, file->inode};
	struct preamble_want want = {.data = file->data, .size = file->size};
	uint8_t bit = (uint8_t)(1 << file->inode % 8);
	uint8_t *byte = layer_checked(l, file->inode);
	struct entry inode;
	int rc;

	if (!byte || file->size == 0 || (__atomic_load_n(byte, __ATOMIC_RELAXED) & bit))
		return 0;
	rc = index_entry(ix, file->inode, &inode);
	/* One that lost its name to a later entry is in the archive under that name. */
	if (rc == 0 && inode.name_len > 0) {
		want.is_named = is_named;
		want.named = &named;
	}
	if (rc == 0)
		rc = preamble_check(decoded_read, &rd, &want, e);
	if (rc == 0)
		__atomic_fetch_or(byte, bit, __ATOMIC_RELAXED);
	return rc == -EBADMSG ? layer_distrust(l, cancelled, e) : rc;
}
