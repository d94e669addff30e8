/* SPDX-License-Identifier: MIT */
/* Files of layers: everything but directories, whatever images show them. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "fs/image/context.h"
#include "fs/image/layers.h"
#include "fs/options/log.h"
#include "fs/options/options.h"
#include "fs/node/node_ops.h"
#include "fs/tree/identity.h"
#include "fs/tree/merge.h"
#include "tar/file_check.h"
#include "tar/layer.h"

#define HOLE UINT64_MAX

static int file_entry(const struct located *at, struct entry *out)
{
	int rc;

	if (at->layer->is_file)
		return -ESTALE;
	if (at->layer->loaded < 0)
		return -EIO; /* the layer was good when the node was given out */
	rc = index_entry(layer_index(at->layer->layer), at->node.entry, out);
	return rc < 0 ? located_index_failed(at->nodes, at->layer, rc) : 0;
}

static int file_describe(const struct located *at, struct item *out)
{
	struct mount_layer *l = at->layer;
	struct attributes a = {
		.node = at->id, .is_described = true, .mount_number = at->node.layer};
	const struct index *ix;
	uint64_t dir;
	int rc = file_entry(at, &a.entry);

	if (rc != 0)
		return rc;
	a.nlink = a.entry.nlink;
	a.ino = node_ino(l->seed, at->node.entry);
	if (at->nodes->context->options->ino == INO_CONTENT) {
		ix = layer_index(l->layer);
		rc = identity_parent(ix, &a.entry, &dir);
		if (rc == 0)
			rc = identity_ino(ix, &a.entry, a.nlink, l->seed, dir, &a.ino);
	}
	return rc < 0 ? located_index_failed(at->nodes, l, rc)
		      : located_item(at->nodes, &a, out);
}

static int file_readlink(const struct located *at, char *buf, size_t size,
			 struct waiter *w)
{
	struct entry e;
	int rc = file_entry(at, &e);

	(void)w;
	if (rc < 0)
		return rc;
	if (!S_ISLNK(e.mode))
		return -EINVAL;
	if (e.link_len >= size)
		return -ENAMETOOLONG;
	memcpy(buf, e.link, e.link_len);
	buf[e.link_len] = '\0';
	return 0;
}

/* CONTENTS */

/* One piece of at most *@len decoded bytes; *@len becomes what was read. */
static int read_piece(struct layer *l, char *buf, size_t *len, uint64_t off,
		      const bool *cancelled, struct err *e)
{
	struct layer_data data;
	int rc;

	rc = layer_get(l, off, len, cancelled, &data, e);
	if (rc < 0)
		return rc;
	if (data.fd < 0)
		memcpy(buf, data.mem, *len);
	else
		rc = fd_read_all(data.fd, buf, *len, data.off);
	layer_unget(l, &data);
	return rc < 0 ? err_set(e, rc, "cannot read from the store: %s", strerror(-rc))
		      : 0;
}

/* The path of an entry in its layer, or the end of it. @out has NAME_MAX + 1 bytes. */
static const char *entry_path(const struct index *ix, struct entry e, char *out)
{
	size_t at = NAME_MAX;

	out[at] = '\0';
	while (e.id != 0 && e.name_len < at) {
		at -= e.name_len;
		memcpy(out + at, e.name, e.name_len);
		out[--at] = '/';
		if (index_entry(ix, e.parent, &e) < 0)
			break;
	}
	return out + at;
}

/*
 * Assembles the bytes from what the layer gives span by span, with zeros for holes: as many
 * as there are. -ESTALE: as layer_get(). They are read from the store's file into the reply,
 * not spliced into the kernel, because a short read would reach the reader as zeros,
 * unnoticed.
 */
static ssize_t content_read(struct mount_layer *l, const struct entry *file, void *buf,
			    size_t size, uint64_t off, const bool *cancelled)
{
	uint64_t len, data;
	size_t done = 0, piece;
	struct err e = {"the index of a layer is damaged"};
	char path[NAME_MAX + 1];
	int rc = 0;

	if (off >= file->size)
		return 0;
	if (size > file->size - off)
		size = (size_t)(file->size - off);
	if (file->inode < index_info(layer_index(l->layer))->n_entries)
		rc = file_check(l->layer, file, cancelled, &e);
	while (rc == 0 && done < size) {
		len = size - done;
		rc = index_extent(layer_index(l->layer), file, off + done, &len, &data);
		if (rc < 0)
			break;
		piece = (size_t)len;
		if (data == HOLE)
			memset((char *)buf + done, 0, piece);
		else
			rc = read_piece(l->layer, (char *)buf + done, &piece, data,
					cancelled, &e);
		if (rc < 0)
			break;
		done += piece;
	}
	if (rc == -ESTALE) {
		log_warn(l->layers->context->log, "%s; the layer was streamed instead",
			 e.text);
		return rc;
	}
	return rc < 0 ? mount_layer_failed(l,
					   entry_path(layer_index(l->layer), *file, path),
					   rc, e.text)
		      : (ssize_t)done;
}

static off_t content_seek(struct mount_layer *l, const struct entry *file, off_t off,
			  int whence)
{
	uint64_t at = (uint64_t)off, len, data;
	int rc;

	if (off < 0 || at >= file->size)
		return -ENXIO;
	while (at < file->size) {
		len = file->size - at;
		rc = index_extent(layer_index(l->layer), file, at, &len, &data);
		if (rc < 0)
			return mount_layer_failed(l, "", rc,
						  "the index of a layer is damaged");
		if ((data == HOLE) == (whence == SEEK_HOLE))
			return (off_t)at;
		at += len;
	}
	/* The end of a file counts as a hole. */
	return whence == SEEK_HOLE ? (off_t)file->size : -ENXIO;
}

static ssize_t file_read(const struct located *at, void *buf, size_t size, uint64_t off,
			 struct waiter *w)
{
	const bool *cancelled;
	struct entry e;
	ssize_t n = file_entry(at, &e);

	if (n < 0)
		return n;
	if (!S_ISREG(e.mode))
		return -EINVAL;
	cancelled = waiter_begin(w, at->layer->layer);
	n = content_read(at->layer, &e, buf, size, off, cancelled);
	/* An index was wrong, and there is a right one now. */
	if (n == -ESTALE && file_entry(at, &e) == 0)
		n = content_read(at->layer, &e, buf, size, off, cancelled);
	waiter_end(w);
	return n == -ESTALE ? -EIO : n;
}

static off_t file_seek(const struct located *at, off_t off, int whence)
{
	struct entry e;
	int rc = file_entry(at, &e);

	return rc < 0 ? rc : content_seek(at->layer, &e, off, whence);
}

static int file_xattrs(const struct located *at, struct xattr_run *out)
{
	struct entry e;
	int rc = file_entry(at, &e);

	if (rc == 0)
		*out = (struct xattr_run){.layer = at->layer, .pos = e.xattrs};
	return rc;
}

static ssize_t file_stored_size(const struct located *at, size_t max)
{
	const struct layer *l = at->layer->layer;
	const struct index *ix = at->layer->loaded == 0 && l ? layer_index(l) : NULL;
	uint64_t len, data;
	struct entry e;

	/* Files of an external index are compared with the tar first, which may need the network. */
	if (!ix || index_basis_is_external(index_info(ix)->basis) ||
	    index_entry(ix, at->node.entry, &e) < 0)
		return -ENOENT;
	len = e.size;
	if (!S_ISREG(e.mode) || e.inode != e.id || len == 0 || len > max ||
	    index_extent(ix, &e, 0, &len, &data) < 0 || len != e.size || data == HOLE ||
	    !layer_has(l, data, len))
		return 0;
	return (ssize_t)len;
}

const struct node_ops file_ops = {
	.pin = located_pin_layer,
	.describe = file_describe,
	.readlink = file_readlink,
	.read = file_read,
	.stored_size = file_stored_size,
	.seek = file_seek,
	.xattrs = file_xattrs,
};
