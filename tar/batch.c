/* SPDX-License-Identifier: MIT */
#include "tar/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"
#include "base/source.h"
#include "tar/codec/span.h"
#include "tar/index/index.h"

/* Compressed bytes in memory at once: some spans grow when they are compressed. */
#define RANGE_MAX ((uint64_t)BATCH_MAX * 4)

/* A range of a blob in memory, read at the offsets that it has in the blob. */
struct range_source {
	struct source source;
	uint64_t start;
	uint64_t len;
	char *bytes;
};

static ssize_t range_pread(struct source *s, void *buf, size_t len, uint64_t off,
			   struct err *e)
{
	struct range_source *range = (struct range_source *)s;

	if (off < range->start || !range_fits(off - range->start, len, range->len))
		return err_set(e, -EBADMSG, "a span outside the range of its neighbours");
	memcpy(buf, range->bytes + (off - range->start), len);
	return (ssize_t)len;
}

static void range_release(struct source *s)
{
	free(((struct range_source *)s)->bytes);
}

struct batch {
	uint32_t first;
	uint32_t n;
	struct span *spans; /* n of them */
	uint32_t at;	    /* start of the current group */
	batch_give_fn *give;
	void *arg;
};

static int batch_give(void *arg, size_t i, const void *out)
{
	struct batch *b = arg;
	uint32_t at = b->at + (uint32_t)i;

	return b->give(b->arg, b->first + at, &b->spans[at], out);
}

static int batch_load_single(struct batch *b, struct source *from)
{
	const struct span *sp = &b->spans[b->at];
	char *mem = malloc(sp->out_len + 1);
	int rc = mem ? span_load(sp, from, mem, NULL) : -ENOMEM;

	if (rc == 0)
		rc = batch_give(b, 0, mem);
	free(mem);
	return rc;
}

/* Spans that share their input form a group and are decoded in one go. */
static int batch_load_groups(struct batch *b, struct source *from)
{
	uint32_t n;
	int rc = 0;

	for (b->at = 0; rc == 0 && b->at < b->n; b->at += n) {
		const struct span *sp = &b->spans[b->at];

		for (n = 1; b->at + n < b->n && sp[n].in == sp->in && sp[n].skip > 0; n++)
			;
		if (n > 1)
			rc = span_load_parts(sp, n, from, batch_give, b, NULL);
		else
			rc = batch_load_single(b, from);
	}
	return rc;
}

/* Finds the range of the spans' compressed bytes. */
static void batch_range(const struct batch *b, struct range_source *range)
{
	uint64_t low = UINT64_MAX, high = 0;
	uint32_t i;

	for (i = 0; i < b->n; i++) {
		if (b->spans[i].in < low)
			low = b->spans[i].in;
		if (b->spans[i].in + b->spans[i].in_len > high)
			high = b->spans[i].in + b->spans[i].in_len;
	}
	range->start = low;
	range->len = high - low;
}

static int batch_load_range(struct batch *b, struct source *blob, uint64_t *fetched)
{
	static const struct source_ops ops = {.pread = range_pread,
					      .release = range_release};
	struct range_source range = {.bytes = NULL};
	int rc;

	batch_range(b, &range);
	__atomic_fetch_add(fetched, range.len, __ATOMIC_RELAXED);
	if (range.len > BATCH_MAX && b->spans[0].in == b->spans[b->n - 1].in)
		/* parts of a long zstd frame: span_load_parts() streams it */
		return batch_load_groups(b, blob);
	if (range.len > RANGE_MAX)
		return -E2BIG;
	source_init(&range.source, &ops, blob->size);
	range.bytes = malloc(range.len);
	rc = range.bytes
		     ? source_read_all(blob, range.bytes, range.len, range.start, NULL)
		     : -ENOMEM;
	if (rc == 0)
		rc = batch_load_groups(b, &range.source);
	source_unref(&range.source);
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
		rc = batch_load_range(&b, blob, fetched);
	free(b.spans);
	return rc;
}

uint32_t batch_input_end(const struct index *ix, uint32_t span)
{
	uint32_t end = span + 1;
	struct span sp;

	while (index_span(ix, end, &sp) == 0 && sp.skip > 0)
		end++;
	return end;
}

bool batch_input_is_short(const struct index *ix, uint32_t span)
{
	struct span sp;

	return index_span(ix, span, &sp) == 0 && sp.in_len <= SPAN_TARGET;
}
