/* SPDX-License-Identifier: MIT */
#include "tar/span_fill.h"

#include <stdlib.h>

/*
 * Bytes in memory only, besides those of the newest fill and those that readers have
 * pinned.
 */
#define MEMORY_MAX (16u << 20)

void span_fill_unref(struct span_fill *f)
{
	if (--f->refs > 0)
		return;
	free(f->mem);
	free(f);
}

struct span_fill *span_fills_find(const struct span_fills *l, uint32_t span)
{
	struct span_fill *f;

	for (f = l->list; f; f = f->next) {
		if (span >= f->first && span - f->first < f->n)
			return f;
	}
	return NULL;
}

void span_fills_add(struct span_fills *l, struct span_fill *f)
{
	f->next = l->list;
	l->list = f;
}

void span_fills_remove(struct span_fills *l, struct span_fill *f)
{
	struct span_fill **link = &l->list;

	while (*link != f)
		link = &(*link)->next;
	*link = f->next;
}

void span_fills_trim(struct span_fills *l, const struct span_fill *newest)
{
	struct span_fill **link = &l->list, *f;
	uint64_t total = 0;

	while ((f = *link)) {
		if (f->is_done && f != newest)
			total += f->mem_len;
		if (f->is_done && f != newest && total > MEMORY_MAX) {
			*link = f->next;
			span_fill_unref(f);
		} else {
			link = &f->next;
		}
	}
}

void span_fills_release(struct span_fills *l)
{
	struct span_fill *f, *next;

	for (f = l->list; f; f = next) {
		next = f->next;
		span_fill_unref(f);
	}
	l->list = NULL;
}
