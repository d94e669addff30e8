/* SPDX-License-Identifier: MIT */
/*
 * Both ways to read a blob, by range and as a stream, use a range reader.
 *
 * A registry without ranges sends the whole blob for each part. The first such response is
 * kept: it goes into an unnamed file as it arrives (spool.h), and all later reads
 * use that file, until the host turns out to honour ranges after all. Only a stream from the
 * start needs no file, because it reads the whole blob anyway.
 */
#include "registry/remote/blob.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/source.h"
#include "registry/remote/blob_fetch.h"
#include "registry/remote/range_reader.h"
#include "registry/remote/remote.h"
#include "registry/remote/spool.h"

struct blob {
	struct source source;
	struct blob_fetch *fetch;

	pthread_mutex_t lock; /* guards all that follows */
	/* borrowed; NULL: no spool is possible, and each part costs all bytes before it */
	struct store *store;
	struct source *spool;	     /* NULL until a host turns out to lack ranges */
	uint64_t last_off, last_len; /* of the last read */
	pthread_t last_reader;
};

/*
 * A new reference to the spool if the blob must be read by it, else NULL. @part: the reader
 * whose request was just answered with the whole blob, or NULL.
 */
static struct source *blob_get_spool(struct blob *b, struct range_reader *part)
{
	uint64_t size = b->source.size;
	struct source *spool = NULL;
	struct range_reader all;
	int rc = 0;

	pthread_mutex_lock(&b->lock);
	if (!b->spool && b->store && part) {
		range_reader_take_over(part, size, &all);
		rc = spool_new(b->store, b->fetch, size, &all, &b->spool);
		if (rc < 0)
			range_reader_release(&all);
	} else if (!b->spool && b->store && blob_fetch_lacks_ranges(b->fetch)) {
		rc = spool_new(b->store, b->fetch, size, NULL, &b->spool);
	}
	if (rc < 0)
		b->store = NULL;
	if (b->spool)
		spool = source_ref(b->spool);
	pthread_mutex_unlock(&b->lock);
	return spool;
}

/* @spool gave @why, -ENOSPC or -ESTALE: reads stop using it. */
static void blob_drop_spool(struct blob *b, struct source *spool, ssize_t why)
{
	struct source *old = NULL;

	pthread_mutex_lock(&b->lock);
	if (b->spool == spool) {
		old = spool;
		b->spool = NULL;
	}
	if (why == -ENOSPC)
		b->store = NULL;
	pthread_mutex_unlock(&b->lock);
	source_unref(old);
}

/*
 * Called before each read of @len bytes at @off. If the last one was by this thread and for the
 * same bytes, perhaps they were wrong: then the spool is dropped, and all are fetched again.
 */
static void blob_note_read(struct blob *b, uint64_t off, uint64_t len)
{
	struct source *old = NULL;

	pthread_mutex_lock(&b->lock);
	if (off == b->last_off && len == b->last_len &&
	    pthread_equal(b->last_reader, pthread_self())) {
		old = b->spool;
		b->spool = NULL;
	}
	b->last_off = off;
	b->last_len = len;
	b->last_reader = pthread_self();
	pthread_mutex_unlock(&b->lock);
	source_unref(old);
}

static bool blob_has_spool(struct blob *b)
{
	bool has;

	pthread_mutex_lock(&b->lock);
	has = b->spool != NULL;
	pthread_mutex_unlock(&b->lock);
	return has;
}

static bool blob_may_spool(struct blob *b)
{
	bool may;

	pthread_mutex_lock(&b->lock);
	may = b->store != NULL;
	pthread_mutex_unlock(&b->lock);
	return may;
}

static bool is_end_of_spool(ssize_t n)
{
	return n == -ENOSPC || n == -ESTALE;
}

static ssize_t read_all(struct range_reader *r, char *buf, struct err *e)
{
	const void *data;
	size_t done = 0;
	ssize_t n;

	while ((n = range_reader_next(r, &data, e)) > 0) {
		memcpy(buf + done, data, (size_t)n);
		done += (size_t)n;
	}
	return n < 0 ? n : (ssize_t)done;
}

/* -ESPIPE: try again; there is a spool now, or none is possible. */
static ssize_t blob_read_range(struct blob *b, void *buf, size_t len, uint64_t off,
			       struct err *e)
{
	struct range_reader r;
	ssize_t n;

	range_reader_init(&r, b->fetch, off, off + len, true);
	r.parts_only = blob_may_spool(b);
	n = read_all(&r, buf, e);
	if (n == -ESPIPE)
		source_unref(blob_get_spool(b, &r));
	range_reader_release(&r);
	return n;
}

static ssize_t blob_pread(struct source *s, void *buf, size_t len, uint64_t off,
			  struct err *e)
{
	struct blob *b = (struct blob *)s;
	ssize_t n;

	blob_note_read(b, off, len);
	do {
		struct source *spool = blob_get_spool(b, NULL);

		if (!spool) {
			n = blob_read_range(b, buf, len, off, e);
			continue;
		}
		n = source_pread(spool, buf, len, off, e);
		if (is_end_of_spool(n))
			blob_drop_spool(b, spool, n);
		source_unref(spool);
	} while (n == -ESPIPE || is_end_of_spool(n));
	return n;
}

struct blob_stream {
	struct stream stream;
	struct source *blob;
	uint64_t at;
	struct source *spool; /* NULL: `reader` is in use */
	struct stream *spooled;
	struct range_reader reader;
};

/* Opens the stream on @spool, which it takes, or without one on a range reader. */
static int blob_stream_start(struct blob_stream *bs, struct source *spool, struct err *e)
{
	struct blob *b = (struct blob *)bs->blob;
	int rc = 0;

	bs->spool = spool;
	if (spool) {
		rc = source_stream(spool, bs->at, &bs->spooled, e);
	} else {
		range_reader_init(&bs->reader, b->fetch, bs->at, b->source.size, false);
		bs->reader.parts_only = bs->at > 0 && blob_may_spool(b);
	}
	return rc;
}

static void blob_stream_stop(struct blob_stream *bs)
{
	stream_close(bs->spooled);
	source_unref(bs->spool);
	bs->spooled = NULL;
	bs->spool = NULL;
	range_reader_release(&bs->reader);
}

/* Changes from spool to range reader or back, after @why. */
static int blob_stream_switch(struct blob_stream *bs, ssize_t why, struct err *e)
{
	struct blob *b = (struct blob *)bs->blob;
	struct source *spool = NULL;

	if (why == -ESPIPE)
		spool = blob_get_spool(b, &bs->reader);
	else
		blob_drop_spool(b, bs->spool, why);
	blob_stream_stop(bs);
	return blob_stream_start(bs, spool, e);
}

static ssize_t blob_stream_next(struct stream *st, const void **data, struct err *e)
{
	struct blob_stream *bs = (struct blob_stream *)st;
	ssize_t n;
	int rc = 0;

	do {
		n = bs->spooled ? stream_next(bs->spooled, data, e)
				: range_reader_next(&bs->reader, data, e);
		if (n != -ESPIPE && !is_end_of_spool(n))
			break;
		rc = blob_stream_switch(bs, n, e);
	} while (rc == 0);
	if (rc < 0)
		return rc;
	bs->at += n > 0 ? (uint64_t)n : 0;
	return n;
}

static void blob_stream_close(struct stream *st)
{
	struct blob_stream *bs = (struct blob_stream *)st;

	blob_stream_stop(bs);
	source_unref(bs->blob);
	free(bs);
}

static int blob_stream(struct source *s, uint64_t off, struct stream **out, struct err *e)
{
	static const struct stream_ops ops = {.next = blob_stream_next,
					      .close = blob_stream_close};
	struct blob_stream *bs = calloc(1, sizeof(*bs));
	struct blob *b = (struct blob *)s;
	struct source *spool = NULL;
	int rc;

	if (!bs)
		return err_set(e, -ENOMEM, "out of memory");
	bs->stream.ops = &ops;
	bs->blob = source_ref(s);
	bs->at = off < s->size ? off : s->size;
	blob_note_read(b, bs->at, UINT64_MAX);
	if (bs->at > 0 || blob_has_spool(b))
		spool = blob_get_spool(b, NULL);
	rc = blob_stream_start(bs, spool, e);
	if (rc < 0)
		blob_stream_close(&bs->stream);
	else
		*out = &bs->stream;
	return rc;
}

static void blob_release(struct source *s)
{
	struct blob *b = (struct blob *)s;

	source_unref(b->spool);
	blob_fetch_free(b->fetch);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

int blob_new(struct remote *remote, const struct descriptor *d, struct source **out,
	     struct err *e)
{
	static const struct source_ops ops = {
		.pread = blob_pread,
		.stream = blob_stream,
		.release = blob_release,
	};
	struct blob *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return err_set(e, -ENOMEM, "out of memory");
	source_init(&b->source, &ops, d->size);
	pthread_mutex_init(&b->lock, NULL);
	b->store = remote_store(remote);
	rc = blob_fetch_new(remote, d, &b->fetch, e);
	if (rc < 0)
		blob_release(&b->source);
	else
		*out = &b->source;
	return rc;
}
