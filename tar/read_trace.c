/* SPDX-License-Identifier: MIT */
#include "tar/read_trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "tar/index/index.h"

int read_trace_init(struct read_trace *t, uint32_t n_spans)
{
	*t = (struct read_trace){.seen = calloc(n_spans / 64 + 1, sizeof(*t->seen))};
	pthread_mutex_init(&t->lock, NULL);
	return t->seen ? 0 : -ENOMEM;
}

void read_trace_release(struct read_trace *t)
{
	free(t->seen);
	free(t->list);
	pthread_mutex_destroy(&t->lock);
}

static void add_range(struct read_trace *t, uint64_t first, uint64_t len)
{
	if (t->bytes + len > READ_TRACE_BYTES)
		return;
	if (t->n > 0 && t->list[t->n - 1].end == first) {
		t->list[t->n - 1].end += len;
	} else if (t->n < READ_TRACE_RANGES &&
		   array_grow(&t->list, t->n, sizeof(*t->list)) == 0) {
		t->list[t->n++] = (struct byte_range){first, first + len};
	} else {
		return;
	}
	t->bytes += len;
}

void read_trace_note(struct read_trace *t, const struct index *ix, uint32_t span)
{
	uint64_t bit = UINT64_C(1) << (span % 64), *word = &t->seen[span / 64];
	struct span sp;

	if (__atomic_load_n(word, __ATOMIC_RELAXED) & bit)
		return;
	if ((__atomic_fetch_or(word, bit, __ATOMIC_RELAXED) & bit) ||
	    index_span(ix, span, &sp) < 0)
		return;
	pthread_mutex_lock(&t->lock);
	add_range(t, sp.out, sp.out_len);
	pthread_mutex_unlock(&t->lock);
}

size_t read_trace_copy(struct read_trace *t, struct byte_range *out, size_t max)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->n < max ? t->n : max;
	if (n > 0)
		memcpy(out, t->list, n * sizeof(*out));
	pthread_mutex_unlock(&t->lock);
	return n;
}
