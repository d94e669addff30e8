/* SPDX-License-Identifier: MIT */
#include "fs/erofs/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "fs/erofs/extents.h"
#include "fs/erofs/format.h"

struct erofs_image {
	int meta;
	int extents;
	struct erofs_written what;
};

int erofs_image_new(const struct erofs_tree *tree, const uint8_t uuid[EROFS_UUID_SIZE],
		    int meta, int extents, const bool *cancelled,
		    struct erofs_image **out)
{
	struct erofs_image *im = malloc(sizeof(*im));
	int rc = -ENOMEM;

	if (im) {
		*im = (struct erofs_image){.meta = meta, .extents = extents};
		rc = writer_write(tree, uuid, meta, extents, cancelled, &im->what);
	}
	if (rc == 0) {
		*out = im;
		return 0;
	}
	free(im);
	close(meta);
	close(extents);
	return rc;
}

void erofs_image_free(struct erofs_image *im)
{
	if (!im)
		return;
	close(im->meta);
	close(im->extents);
	free(im);
}

uint64_t erofs_image_size(const struct erofs_image *im)
{
	return (uint64_t)im->what.blocks * EROFS_BLOCK;
}

uint64_t erofs_image_metadata(const struct erofs_image *im)
{
	return (uint64_t)im->what.first * EROFS_BLOCK;
}

uint32_t erofs_image_dropped(const struct erofs_image *im)
{
	return im->what.n_dropped;
}

/* At most @size bytes of row @i, at @off after the first block with contents. */
static ssize_t read_extent(const struct erofs_image *im, uint64_t i, void *buf,
			   size_t size, uint64_t off, erofs_read *read, void *arg)
{
	struct extent e[2];
	uint64_t end = (uint64_t)(im->what.blocks - im->what.first) * EROFS_BLOCK, skip;
	int rc = extents_read(im->extents, im->what.n_extents, i, e, 2);
	ssize_t n;

	if (rc < 1)
		return rc < 0 ? rc : -EIO;
	if (rc == 2)
		end = (uint64_t)e[1].block * EROFS_BLOCK;
	if (size > end - off)
		size = (size_t)(end - off);
	skip = off - (uint64_t)e[0].block * EROFS_BLOCK;
	n = read(arg, e[0].id, buf, size, e[0].off + skip);
	if (n < 0)
		return n;
	/* Behind the end of the file */
	memset((char *)buf + n, 0, size - (size_t)n);
	return (ssize_t)size;
}

static ssize_t read_contents(const struct erofs_image *im, char *buf, size_t size,
			     uint64_t off, erofs_read *read, void *arg)
{
	size_t done = 0;
	uint64_t i = 0;
	ssize_t n;
	int rc = extents_find(im->extents, im->what.n_extents,
			      (uint32_t)(off / EROFS_BLOCK), &i);

	if (rc < 0)
		return rc;
	for (; done < size; i++, done += (size_t)n) {
		n = read_extent(im, i, buf + done, size - done, off + done, read, arg);
		/* No short count: a reader would take it for the end. */
		if (n < 0)
			return n;
	}
	return (ssize_t)done;
}

ssize_t erofs_image_read(const struct erofs_image *im, void *buf, size_t size,
			 uint64_t off, erofs_read *read, void *arg)
{
	uint64_t all = erofs_image_size(im);
	uint64_t first = erofs_image_metadata(im);
	size_t done = 0;
	ssize_t n;
	int rc;

	if (off >= all)
		return 0;
	if (size > all - off)
		size = (size_t)(all - off);
	if (off < first) {
		done = size < first - off ? size : (size_t)(first - off);
		rc = fd_read_all(im->meta, buf, done, off);
		if (rc < 0)
			return rc;
	}
	if (done == size)
		return (ssize_t)done;
	n = read_contents(im, (char *)buf + done, size - done, off + done - first, read,
			  arg);
	return n < 0 ? n : (ssize_t)done + n;
}
