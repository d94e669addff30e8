/* SPDX-License-Identifier: MIT */
/*
 * Which spans of a layer were read, in the order of their first reading, as ranges of decoded
 * bytes: what a program that starts needs. It ends at a ceiling, because later reads are of
 * no use for the start of the same program on another machine. Any thread.
 */
#ifndef TAR_READ_TRACE_H
#define TAR_READ_TRACE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct index;

/* As much as a prefetch brings; and ranges that are not neighbours. */
#define READ_TRACE_BYTES  (64u << 20)
#define READ_TRACE_RANGES 512

/* Decoded bytes [first, end). */
struct byte_range {
	uint64_t first;
	uint64_t end;
};

struct read_trace {
	uint64_t *seen; /* atomic: one bit for each span */
	pthread_mutex_t lock;
	struct byte_range *list; /* under lock, as the rest */
	size_t n;
	uint64_t bytes;
};

/* For @n_spans spans. -ENOMEM. */
int read_trace_init(struct read_trace *t, uint32_t n_spans);
/* Also after a failure of that. */
void read_trace_release(struct read_trace *t);

/* Span @span of @ix, which is in it, is read. Costs next to nothing after the first time. */
void read_trace_note(struct read_trace *t, const struct index *ix, uint32_t span);
/* Copies up to @max ranges. Returns their number. */
size_t read_trace_copy(struct read_trace *t, struct byte_range *out, size_t max);

#endif
