/* SPDX-License-Identifier: MIT */
#include "tar/resumed.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/source.h"
#include "base/store/partial.h"

#define CHUNK (256 * 1024)

struct resumed {
	struct stream stream;
	struct source *blob;
	struct partial *partial; /* borrowed */
	uint64_t *kept;		 /* borrowed */
	uint64_t at;
	struct stream *rest; /* NULL until it is needed */
	char chunk[CHUNK];
};

/* 0: there is no more of it. */
static size_t read_kept(struct resumed *r, const void **data)
{
	uint64_t end = partial_kept(r->partial);
	size_t len = end - r->at < CHUNK ? (size_t)(end - r->at) : CHUNK;
	ssize_t n = 0;

	if (len > 0)
		n = partial_read(r->partial, r->chunk, len, r->at);
	if (n <= 0 && len > 0) /* it is damaged, or was given up */
		(void)partial_give_up(r->partial);
	if (n <= 0)
		return 0;
	r->at += (size_t)n;
	*data = r->chunk;
	__atomic_store_n(r->kept, r->at, __ATOMIC_RELAXED);
	return (size_t)n;
}

static ssize_t resumed_next(struct stream *st, const void **data, struct err *e)
{
	struct resumed *r = (struct resumed *)st;
	size_t n;
	int rc;

	if (!r->rest) {
		n = read_kept(r, data);
		if (n > 0)
			return (ssize_t)n;
		if (r->at == r->blob->size)
			return 0;
		rc = source_stream(r->blob, r->at, &r->rest, e);
		if (rc < 0)
			return rc;
	}
	return stream_next(r->rest, data, e);
}

static void resumed_close(struct stream *st)
{
	struct resumed *r = (struct resumed *)st;

	stream_close(r->rest);
	source_unref(r->blob);
	free(r);
}

int resumed_stream(struct source *blob, struct partial *partial, uint64_t *kept,
		   struct stream **out, struct err *e)
{
	static const struct stream_ops ops = {.next = resumed_next,
					      .close = resumed_close};
	struct resumed *r;

	if (partial_kept(partial) == 0)
		return source_stream(blob, 0, out, e);
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(e, -ENOMEM, "out of memory");
	r->stream.ops = &ops;
	r->blob = source_ref(blob);
	r->partial = partial;
	r->kept = kept;
	*out = &r->stream;
	return 0;
}

bool resumed_blames(int rc)
{
	return rc == -EBADMSG || rc == -E2BIG || rc == -ENOTSUP;
}

void resumed_end(struct partial *partial, int rc)
{
	if (resumed_blames(rc))
		(void)partial_give_up(partial);
	partial_close(partial);
}
