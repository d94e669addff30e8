/* SPDX-License-Identifier: MIT */
/*
 * A buffer of fixed size through which one thread passes bytes to another.
 *
 * The caller's lock protects the counters. The bytes need no lock: ring_fill() writes
 * only to free space, and lent bytes do not change until they are given back.
 */
#ifndef REGISTRY_HTTP_RING_H
#define REGISTRY_HTTP_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct ring {
	char *data; /* NULL until ring_ensure() */
	size_t size;
	uint64_t written, taken; /* bytes since the start */
	size_t lent;
};

static inline bool ring_ensure(struct ring *r)
{
	if (!r->data)
		r->data = malloc(r->size);
	return r->data != NULL;
}

static inline void ring_release(struct ring *r)
{
	free(r->data);
	*r = (struct ring){0};
}

static inline bool ring_is_empty(const struct ring *r)
{
	return r->written == r->taken;
}

static inline size_t ring_room(const struct ring *r)
{
	return r->size - (size_t)(r->written - r->taken);
}

/* For the writer, without the lock. @len is at most ring_room(). */
static inline void ring_fill(struct ring *r, const char *data, size_t len)
{
	size_t at = (size_t)(r->written % r->size);
	size_t first = len < r->size - at ? len : r->size - at;

	memcpy(r->data + at, data, first);
	memcpy(r->data, data + first, len - first);
}

static inline void ring_advance(struct ring *r, size_t len)
{
	r->written += len;
}

/* At most @max contiguous bytes. The ring is not empty, and nothing is lent. */
static inline size_t ring_lend(struct ring *r, size_t max, const void **data)
{
	size_t at = (size_t)(r->taken % r->size), len = (size_t)(r->written - r->taken);

	if (len > r->size - at)
		len = r->size - at;
	if (len > max)
		len = max;
	*data = r->data + at;
	r->lent = len;
	return len;
}

static inline void ring_give_back(struct ring *r)
{
	r->taken += r->lent;
	r->lent = 0;
}

#endif
