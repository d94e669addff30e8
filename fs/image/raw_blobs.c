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
#include "base/store/store.h"
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
	int r = hasher_new(d->digest.alg, &hasher);

	while (r == 0 && size <= d->size && (n = stream_next(st, &data, e)) > 0) {
		hasher_update(hasher, data, (size_t)n);
		if ((uint64_t)n <= d->size - size)
			r = fd_write_all(fd, data, (size_t)n, size);
		if (r < 0)
			err_set(e, r, "cannot write it to a file: %s", strerror(-r));
		else if (__atomic_load_n(&m->cancelled, __ATOMIC_SEQ_CST))
			r = -EINTR;
		size += (uint64_t)n;
	}
	if (r == 0 && n < 0)
		r = (int)n;
	if (r == 0) {
		hasher_finish(hasher, &found);
		if (size != d->size || !digest_equal(&found, &d->digest))
			r = err_set(e, -EBADMSG, "its bytes do not have its digest");
	}
	hasher_free(hasher);
	return r;
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
	int fd, r = origin_document(layer_origin(m, l), &l->descriptor, &bytes, e);

	if (r < 0)
		return r;
	fd = new_file(m, bytes.len, e);
	if (fd >= 0)
		r = fd_write_all(fd, bytes.data, bytes.len, 0);
	if (r < 0) {
		err_set(e, r, "cannot write it to a file: %s", strerror(-r));
		close(fd);
		fd = r;
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
	int r, fd = -1;

	if (descriptor_is_document(d) && d->size <= DOCUMENT_MAX)
		return fetch_document(m, l, e);
	r = origin_blob(layer_origin(m, l), d, &source, e);
	if (r == 0)
		r = fd = new_file(m, d->size, e);
	if (r >= 0)
		r = source_stream(source, 0, &st, e);
	if (r == 0)
		r = copy_stream(m, st, fd, d, e);
	stream_close(st);
	source_unref(source);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

/* THE HOLD */

static void make(struct mount *m, struct mount_layer *l)
{
	char digest[DIGEST_TEXT_MAX];
	struct err e = {"out of memory"};
	int r = fetch(m, l, &e);

	l->copy_fd = r < 0 ? -1 : r;
	if (r < 0) {
		err_prefix(&e, r, "%s %s", l->is_file ? "blob" : "layer",
			   digest_format(&l->descriptor.digest, digest));
		mount_failed(m, l, r, e.text);
	}
	/* One with another digest is not asked for again by each who reads. */
	r = r < 0 && r != -EBADMSG ? r : 0;
	hold_made(&m->copies, &l->copy, r);
	if (r == 0)
		hold_unpin(&l->copy);
}

ssize_t copy_read(struct mount *m, struct mount_layer *l, void *buf, size_t size,
		  uint64_t off, struct waiter *w)
{
	uint64_t len = l->descriptor.size;
	int r;

	if (off > 0 && off >= len)
		return 0; /* but of an empty one, too, the digest is looked at */
	if (size > len - off)
		size = (size_t)(len - off);
	while ((r = hold_need(&m->copies, &l->copy, w)) == 1) {
		r = layer_thread(m, l, make);
		if (r < 0)
			hold_made(&m->copies, &l->copy, r);
	}
	if (r < 0)
		return mount_errno(r);
	r = l->copy_fd < 0 ? -EIO : fd_read_all(l->copy_fd, buf, size, off);
	hold_unpin(&l->copy);
	return r < 0 ? -EIO : (ssize_t)size;
}

bool copies_close_unused(struct mount *m, uint32_t seconds, size_t max)
{
	struct mount_layer *l;
	struct hold *h;
	bool some = false;

	while ((h = holds_take_unused(&m->copies, seconds, max))) {
		l = (struct mount_layer *)((char *)h -
					   offsetof(struct mount_layer, copy));
		if (l->copy_fd >= 0)
			close(l->copy_fd);
		hold_gone(&m->copies, h);
		some = true;
	}
	return some;
}
