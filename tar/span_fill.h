/* SPDX-License-Identifier: MIT */
/*
 * The fills of a span cache (span_cache.c): a list of what is under way, and of what is
 * done but is in memory only. Plain data: the lock of its owner guards it.
 */
#ifndef TAR_SPAN_FILL_H
#define TAR_SPAN_FILL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct span_cache;

enum fill_kind {
	FILL_FETCH,
	FILL_PREFETCH,	/* continues with the next run */
	FILL_READ_BACK, /* from `place` */
};

struct span_fill {
	struct span_fill *next;
	struct span_cache *owner;
	uint32_t first; /* spans [first, first + n) */
	uint32_t n;
	unsigned refs; /* waiters, the list, and the thread while it runs */
	enum fill_kind kind;
	int place; /* of FILL_READ_BACK (span_places.h) */
	bool is_done;
	int rc; /* of a fill for one span; a run reports no errors */
	struct err err;
	char *mem; /* the bytes of a single span, if they are in no file */
	uint64_t mem_len;
};

/* Newest first; finished ones stay while their bytes are in memory. */
struct span_fills {
	struct span_fill *list;
};

void span_fill_unref(struct span_fill *f);

/* The fill that is to bring, or has, span @span; NULL: none. */
struct span_fill *span_fills_find(const struct span_fills *l, uint32_t span);
/* Adds a fill, and takes a reference of it. */
void span_fills_add(struct span_fills *l, struct span_fill *f);
/* Removes a fill. The caller gets the list's reference. */
void span_fills_remove(struct span_fills *l, struct span_fill *f);
/*
 * Drops fills that are done, oldest first, except @newest and a few MiB of others. A fill
 * stays as long as somebody has a reference.
 */
void span_fills_trim(struct span_fills *l, const struct span_fill *newest);
void span_fills_release(struct span_fills *l);

#endif
