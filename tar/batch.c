/* SPDX-License-Identifier: MIT */
#include "tar/batch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"
#include "base/source.h"
#include "tar/codec/span.h"
#include "tar/index/index.h"

/* Compressed bytes that are held in memory at once: some spans grow when compressed. */
#define HELD_MAX ((uint64_t)BATCH_MAX * 4)

/* A part of a blob, held in memory and read at the offsets it has in the blob. */
struct held {
	struct source source;
	uint64_t start;
	uint64_t len;
	char *bytes;
};

static ssize_t held_pread(struct source *s, void *buf, size_t len, uint64_t off,
			  struct err *e)
{
	struct held *h = (struct held *)s;

	if (off < h->start || !range_fits(off - h->start, len, h->len))
		return err_set(e, -EBADMSG,
			       "a span that is not where its neighbours are");
	memcpy(buf, h->bytes + (off - h->start), len);
	return (ssize_t)len;
}

static void held_release(struct source *s)
{
	free(((struct held *)s)->bytes);
}

struct batch {
	uint32_t first;
	uint32_t n;
	struct span *spans; /* n of them */
	uint32_t at;	    /* the group being loaded begins here */
	batch_give_fn *give;
	void *arg;
};

static int give_part(void *arg, size_t i, const void *out)
{
	struct batch *b = arg;
	uint32_t at = b->at + (uint32_t)i;

	return b->give(b->arg, b->first + at, &b->spans[at], out);
}

static int load_alone(struct batch *b, struct source *from)
{
	const struct span *sp = &b->spans[b->at];
	char *mem = malloc(sp->out_len + 1);
	int rc = mem ? span_load(sp, from, mem, NULL) : -ENOMEM;

	if (rc == 0)
		rc = give_part(b, 0, mem);
	free(mem);
	return rc;
}

/* Group by group: spans that share their input are made in one go. */
static int load_groups(struct batch *b, struct source *from)
{
	uint32_t n;
	int rc = 0;

	for (b->at = 0; rc == 0 && b->at < b->n; b->at += n) {
		const struct span *sp = &b->spans[b->at];

		for (n = 1; b->at + n < b->n && sp[n].in == sp->in && sp[n].skip > 0; n++)
			;
		if (n > 1)
			rc = span_load_parts(sp, n, from, give_part, b, NULL);
		else
			rc = load_alone(b, from);
	}
	return rc;
}

/* Where the compressed bytes of the spans are. */
static void measure(const struct batch *b, struct held *h)
{
	uint64_t low = UINT64_MAX, high = 0;
	uint32_t i;

	for (i = 0; i < b->n; i++) {
		if (b->spans[i].in < low)
			low = b->spans[i].in;
		if (b->spans[i].in + b->spans[i].in_len > high)
			high = b->spans[i].in + b->spans[i].in_len;
	}
	h->start = low;
	h->len = high - low;
}

static int load_all(struct batch *b, struct source *blob, uint64_t *fetched)
{
	static const struct source_ops ops = {.pread = held_pread,
					      .release = held_release};
	struct held held = {.bytes = NULL};
	int rc;

	measure(b, &held);
	__atomic_fetch_add(fetched, held.len, __ATOMIC_RELAXED);
	if (held.len > BATCH_MAX && b->spans[0].in == b->spans[b->n - 1].in)
		/* parts of a long zstd frame: span_load_parts() streams it */
		return load_groups(b, blob);
	if (held.len > HELD_MAX)
		return -E2BIG;
	source_init(&held.source, &ops, blob->size);
	held.bytes = malloc(held.len);
	rc = held.bytes ? source_read_all(blob, held.bytes, held.len, held.start, NULL)
			: -ENOMEM;
	if (rc == 0)
		rc = load_groups(b, &held.source);
	source_unref(&held.source);
	return rc;
}

int batch_load(const struct index *ix, struct source *blob, uint32_t first, uint32_t n,
	       batch_give_fn *give, void *arg, uint64_t *fetched)
{
	struct batch b = {.first = first, .n = n, .give = give, .arg = arg};
	uint32_t i;
	int rc = 0;

	b.spans = calloc(n, sizeof(*b.spans));
	if (!b.spans)
		return -ENOMEM;
	for (i = 0; rc == 0 && i < n; i++)
		rc = index_span(ix, first + i, &b.spans[i]);
	if (rc == 0)
		rc = load_all(&b, blob, fetched);
	free(b.spans);
	return rc;
}
