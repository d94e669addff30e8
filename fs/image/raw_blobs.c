/* SPDX-License-Identifier: MIT */
#include "fs/image/raw_blobs.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/source.h"
#include "base/store/room.h"
#include "fs/image/context.h"
#include "registry/image_source.h"

/* FETCHING */

/* The whole stream into @fd, as long as it is the blob of @d. */
static int copy_stream(struct mount *m, struct stream *st, int fd,
		       const struct descriptor *d, struct err *e)
{
	struct hasher *hasher = NULL;
	struct digest found;
	const void *data;
	uint64_t size = 0;
	ssize_t n = 0;
	int rc = hasher_new(d->digest.alg, &hasher);

	while (rc == 0 && size <= d->size && (n = stream_next(st, &data, e)) > 0) {
		hasher_update(hasher, data, (size_t)n);
		if ((uint64_t)n <= d->size - size)
			rc = fd_write_all(fd, data, (size_t)n, size);
		if (rc < 0)
			err_set(e, rc, "cannot write it to a file: %s", strerror(-rc));
		else if (__atomic_load_n(&m->cancelled, __ATOMIC_SEQ_CST))
			rc = -EINTR;
		size += (uint64_t)n;
	}
	if (rc == 0 && n < 0)
		rc = (int)n;
	if (rc == 0) {
		hasher_finish(hasher, &found);
		if (size != d->size || !digest_equal(&found, &d->digest))
			rc = err_set(e, -EBADMSG, "its bytes do not have its digest");
	}
	hasher_free(hasher);
	return rc;
}

static int new_file(struct mount *m, uint64_t size, struct err *e)
{
	int fd = store_new_copy(m->store, size);

	if (fd < 0)
		err_set(e, fd, "there is no file to be had for it: %s", strerror(-fd));
	return fd;
}

/* What an image is told by is in the store, most likely. */
static int fetch_document(struct mount *m, struct mount_layer *l, struct err *e)
{
	struct buf bytes = {0};
	int fd, rc = image_source_document(mount_layer_source(m, l), &l->descriptor,
					   &bytes, e);

	if (rc < 0)
		return rc;
	fd = new_file(m, bytes.len, e);
	if (fd >= 0)
		rc = fd_write_all(fd, bytes.data, bytes.len, 0);
	if (rc < 0) {
		err_set(e, rc, "cannot write it to a file: %s", strerror(-rc));
		close(fd);
		fd = rc;
	}
	buf_release(&bytes);
	return fd;
}

/* A descriptor of the verified blob, or negative. */
static int fetch(struct mount *m, struct mount_layer *l, struct err *e)
{
	const struct descriptor *d = &l->descriptor;
	struct source *source = NULL;
	struct stream *st = NULL;
	int rc, fd = -1;

	if (descriptor_is_document(d) && d->size <= DOCUMENT_MAX)
		return fetch_document(m, l, e);
	rc = image_source_blob(mount_layer_source(m, l), d, &source, e);
	if (rc == 0)
		rc = fd = new_file(m, d->size, e);
	if (rc >= 0)
		rc = source_stream(source, 0, &st, e);
	if (rc == 0)
		rc = copy_stream(m, st, fd, d, e);
	stream_close(st);
	source_unref(source);
	if (rc < 0 && fd >= 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

/* THE HOLD */

static void make(struct mount *m, struct mount_layer *l)
{
	char digest[DIGEST_TEXT_MAX];
	struct err e = {"out of memory"};
	int rc = fetch(m, l, &e);

	l->raw_blob_fd = rc < 0 ? -1 : rc;
	if (rc < 0) {
		err_prefix(&e, rc, "%s %s", l->is_file ? "blob" : "layer",
			   digest_format(&l->descriptor.digest, digest));
		mount_failed(m, l, rc, e.text);
	}
	/* One with another digest is not asked for again by each who reads. */
	rc = rc < 0 && rc != -EBADMSG ? rc : 0;
	lazy_made(&m->raw_blobs, &l->raw_blob, rc);
	if (rc == 0)
		lazy_unpin(&l->raw_blob);
}

ssize_t raw_blob_read(struct mount *m, struct mount_layer *l, void *buf, size_t size,
		      uint64_t off, struct waiter *w)
{
	uint64_t len = l->descriptor.size;
	int rc;

	if (off > 0 && off >= len)
		return 0; /* but of an empty one, too, the digest is looked at */
	if (size > len - off)
		size = (size_t)(len - off);
	while ((rc = lazy_need(&m->raw_blobs, &l->raw_blob, w)) == 1) {
		rc = mount_layer_thread(m, l, make);
		if (rc < 0)
			lazy_made(&m->raw_blobs, &l->raw_blob, rc);
	}
	if (rc < 0)
		return mount_errno(rc);
	rc = l->raw_blob_fd < 0 ? -EIO : fd_read_all(l->raw_blob_fd, buf, size, off);
	lazy_unpin(&l->raw_blob);
	return rc < 0 ? -EIO : (ssize_t)size;
}

bool raw_blobs_close_unused(struct mount *m, uint32_t seconds, size_t max)
{
	struct mount_layer *l;
	struct lazy *h;
	bool some = false;

	while ((h = lazy_set_take_unused(&m->raw_blobs, seconds, max))) {
		l = (struct mount_layer *)((char *)h -
					   offsetof(struct mount_layer, raw_blob));
		if (l->raw_blob_fd >= 0)
			close(l->raw_blob_fd);
		lazy_gone(&m->raw_blobs, h);
		some = true;
	}
	return some;
}
