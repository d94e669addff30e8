/* SPDX-License-Identifier: MIT */
/* Both ways to read a blob, by range and as a stream, are one: a range read in order. */
#include "registry/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/source.h"
#include "registry/reading.h"
#include "registry/supply.h"

struct blob {
	struct source source;
	struct supply *supply;
};

static ssize_t blob_pread(struct source *s, void *buf, size_t len, uint64_t off,
			  struct err *e)
{
	struct blob *b = (struct blob *)s;
	struct reading r;
	const void *data;
	size_t done = 0;
	ssize_t n;

	reading_init(&r, b->supply, off, off + len, true);
	while ((n = reading_next(&r, &data, e)) > 0) {
		memcpy((char *)buf + done, data, (size_t)n);
		done += (size_t)n;
	}
	reading_release(&r);
	return n < 0 ? n : (ssize_t)done;
}

struct blob_stream {
	struct stream stream;
	struct source *blob;
	struct reading reading;
};

static ssize_t blob_stream_next(struct stream *st, const void **data, struct err *e)
{
	return reading_next(&((struct blob_stream *)st)->reading, data, e);
}

static void blob_stream_close(struct stream *st)
{
	struct blob_stream *bs = (struct blob_stream *)st;

	reading_release(&bs->reading);
	source_unref(bs->blob);
	free(bs);
}

static int blob_stream(struct source *s, uint64_t off, struct stream **out, struct err *e)
{
	static const struct stream_ops ops = {.next = blob_stream_next,
					      .close = blob_stream_close};
	struct blob_stream *bs = calloc(1, sizeof(*bs));

	if (!bs)
		return err_set(e, -ENOMEM, "out of memory");
	bs->stream.ops = &ops;
	bs->blob = source_ref(s);
	reading_init(&bs->reading, ((struct blob *)s)->supply,
		     off < s->size ? off : s->size, s->size, false);
	*out = &bs->stream;
	return 0;
}

static void blob_release(struct source *s)
{
	supply_free(((struct blob *)s)->supply);
	free(s);
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
	rc = supply_new(remote, d, &b->supply, e);
	if (rc < 0)
		free(b);
	else
		*out = &b->source;
	return rc;
}
