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
#include "fs/image/layers.h"
#include "registry/image_source.h"

/* FETCHING */

/* Copies the whole of @source into @fd and verifies that it is the blob. */
static int copy_blob(struct mount_layer *l, struct source *source, int fd, struct err *e)
{
	const struct descriptor *d = &l->descriptor;
	struct hasher *hasher = NULL;
	struct stream *st = NULL;
	struct digest found;
	const void *data;
	uint64_t size = 0;
	ssize_t n = 0;
	int rc = hasher_new(d->digest.alg, &hasher);

	if (rc == 0)
		rc = source_stream(source, 0, &st, e);
	while (rc == 0 && size <= d->size && (n = stream_next(st, &data, e)) > 0) {
		hasher_update(hasher, data, (size_t)n);
		if ((uint64_t)n <= d->size - size)
			rc = fd_write_all(fd, data, (size_t)n, size);
		if (rc < 0)
			err_set(e, rc, "cannot write it to a file: %s", strerror(-rc));
		else if (context_is_cancelled(l->layers->context))
			rc = -EINTR;
		size += (uint64_t)n;
		__atomic_store_n(&l->raw_blob_done, size, __ATOMIC_RELAXED);
	}
	if (rc == 0 && n < 0)
		rc = (int)n;
	if (rc == 0) {
		hasher_finish(hasher, &found);
		if (size != d->size || !digest_equal(&found, &d->digest))
			rc = err_set(e, -EBADMSG, "its bytes do not have its digest");
	}
	stream_close(st);
	hasher_free(hasher);
	return rc;
}

static int new_file(struct context *c, uint64_t size, struct err *e)
{
	int fd = store_new_copy(c->store, size);

	if (fd < 0)
		err_set(e, fd, "cannot create a temporary file for it: %s",
			strerror(-fd));
	return fd;
}

/* A manifest or config is most likely in the store. */
static int fetch_document(struct mount_layer *l, struct err *e)
{
	struct buf bytes = {0};
	int fd, rc = image_source_document(mount_layer_source(l), &l->descriptor, &bytes,
					   e);

	if (rc < 0)
		return rc;
	fd = new_file(l->layers->context, bytes.len, e);
	if (fd >= 0)
		rc = fd_write_all(fd, bytes.data, bytes.len, 0);
	if (rc < 0) {
		err_set(e, rc, "cannot write it to a file: %s", strerror(-rc));
		close(fd);
		fd = rc;
	}
	if (fd >= 0)
		__atomic_store_n(&l->raw_blob_done, bytes.len, __ATOMIC_RELAXED);
	buf_release(&bytes);
	return fd;
}

/* A file descriptor of the verified blob, or a negative errno. */
static int fetch_blob(struct mount_layer *l, struct err *e)
{
	struct context *c = l->layers->context;
	const struct descriptor *d = &l->descriptor;
	struct source *source = NULL;
	int rc, fd = -1;

	if (descriptor_is_document(d) && d->size <= DOCUMENT_MAX)
		return fetch_document(l, e);
	rc = image_source_blob(mount_layer_source(l), d, &source, e);
	if (rc == 0)
		rc = fd = new_file(c, d->size, e);
	if (rc >= 0)
		rc = copy_blob(l, source, fd, e);
	/* The transfer may have damaged it. The second time the blob is to blame. */
	if (rc == -EBADMSG && fd >= 0)
		rc = copy_blob(l, source, fd, e);
	source_unref(source);
	if (rc < 0 && fd >= 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

/* READING */

static void set_state(struct mount_layer *l, enum raw_blob_state state)
{
	__atomic_store_n(&l->raw_blob_state, state, __ATOMIC_RELAXED);
}

static void make_raw_blob(void *arg)
{
	struct mount_layer *l = arg;
	char digest[DIGEST_TEXT_MAX];
	struct err e = {"out of memory"};
	int rc;

	__atomic_store_n(&l->raw_blob_done, 0, __ATOMIC_RELAXED);
	set_state(l, RAW_BLOB_FETCHING);
	rc = fetch_blob(l, &e);
	set_state(l, rc >= 0	      ? RAW_BLOB_READY
		     : rc == -EBADMSG ? RAW_BLOB_BROKEN
				      : RAW_BLOB_WAITING);
	l->raw_blob_fd = rc < 0 ? -1 : rc;
	if (rc < 0) {
		err_prefix(&e, rc, "%s %s", l->is_file ? "blob" : "layer",
			   digest_format(&l->descriptor.digest, digest));
		mount_layer_failed(l, digest, rc, e.text);
	}
	/* A blob that does not match its digest is not fetched again by each reader. */
	rc = rc < 0 && rc != -EBADMSG ? rc : 0;
	lazy_made_unpinned(&l->layers->raw_blobs, &l->raw_blob, rc);
}

ssize_t raw_blob_read(struct mount_layer *l, void *buf, size_t size, uint64_t off,
		      struct waiter *w)
{
	struct layers *ls = l->layers;
	uint64_t len = l->descriptor.size;
	int rc;

	if (off > 0 && off >= len)
		return 0; /* but the digest of an empty blob is verified, too */
	if (size > len - off)
		size = (size_t)(len - off);
	rc = lazy_await(&ls->raw_blobs, &l->raw_blob, ls->workers, make_raw_blob, l, w);
	if (rc < 0)
		return context_errno(rc);
	rc = l->raw_blob_fd < 0 ? -EIO : fd_read_all(l->raw_blob_fd, buf, size, off);
	lazy_unpin(&l->raw_blob);
	return rc < 0 ? -EIO : (ssize_t)size;
}

bool raw_blobs_close_unused(struct layers *ls, uint32_t seconds, size_t max)
{
	struct mount_layer *l;
	struct lazy *lazy;
	bool some = false;

	while ((lazy = lazy_set_take_unused(&ls->raw_blobs, seconds, max))) {
		l = (struct mount_layer *)((char *)lazy -
					   offsetof(struct mount_layer, raw_blob));
		if (l->raw_blob_fd >= 0)
			close(l->raw_blob_fd);
		set_state(l, RAW_BLOB_WAITING);
		lazy_gone(&ls->raw_blobs, lazy);
		some = true;
	}
	return some;
}

enum raw_blob_state raw_blob_progress(const struct mount_layer *l, uint64_t *done)
{
	*done = __atomic_load_n(&l->raw_blob_done, __ATOMIC_RELAXED);
	return __atomic_load_n(&l->raw_blob_state, __ATOMIC_RELAXED);
}
