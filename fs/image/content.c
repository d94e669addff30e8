/* SPDX-License-Identifier: MIT */
/*
 * Bytes are read from the store's file into the reply. They are not spliced into the
 * kernel, because a short read would reach the reader as zeros, unnoticed.
 */
#include "fs/image/content.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "fs/image/layers.h"
#include "tar/index/index.h"
#include "tar/layer.h"

#define HOLE UINT64_MAX

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
	return rc < 0 ? err_set(e, rc, "cannot read from the cache: %s", strerror(-rc))
		      : 0;
}

ssize_t content_read(struct mount_layer *l, const struct entry *file, void *buf,
		     size_t size, uint64_t off, const bool *cancelled)
{
	uint64_t len, data;
	size_t done = 0, piece;
	struct err e = {"the index of a layer is damaged"};
	int rc = 0;

	if (off >= file->size)
		return 0;
	if (size > file->size - off)
		size = (size_t)(file->size - off);
	if (file->inode < index_info(layer_index(l->layer))->n_entries)
		rc = layer_check_file(l->layer, file, cancelled, &e);
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
	return rc < 0 ? mount_layer_failed(l, rc, e.text) : (ssize_t)done;
}

off_t content_seek(struct mount_layer *l, const struct entry *file, off_t off, int whence)
{
	uint64_t at = (uint64_t)off, len, data;
	int rc;

	if (off < 0 || at >= file->size)
		return -ENXIO;
	while (at < file->size) {
		len = file->size - at;
		rc = index_extent(layer_index(l->layer), file, at, &len, &data);
		if (rc < 0)
			return mount_layer_failed(l, rc,
						  "the index of a layer is damaged");
		if ((data == HOLE) == (whence == SEEK_HOLE))
			return (off_t)at;
		at += len;
	}
	/* The end of a file counts as a hole. */
	return whence == SEEK_HOLE ? (off_t)file->size : -ENXIO;
}
