/* SPDX-License-Identifier: MIT */
#include "tar/span_lower.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/store/lower.h"
#include "base/store/lower_slot.h"
#include "tar/codec/checksum.h"
#include "tar/codec/span.h"

struct lower_span {
	uint8_t bad;   /* a bit for each store whose bytes are damaged; atomic */
	uint8_t ready; /* 1 + the number of the store that it is read from; atomic */
};

struct span_lower {
	struct lower_slot **slots; /* n of them; NULL: has no data */
	size_t n;
	uint32_t n_spans;
	struct lower_span spans[];
};

int span_lower_open(struct store *s, const struct digest *layer, uint32_t n_spans,
		    struct span_lower **out)
{
	size_t k, n = store_n_lower(s), n_found = 0;
	struct span_lower *l;

	*out = NULL;
	if (n == 0)
		return 0;
	l = calloc(1, sizeof(*l) + n_spans * sizeof(l->spans[0]));
	if (l)
		l->slots = calloc(n, sizeof(struct lower_slot *));
	if (!l || !l->slots) {
		free(l);
		return -ENOMEM;
	}
	l->n = n;
	l->n_spans = n_spans;
	for (k = 0; k < n; k++) {
		if (lower_slot_open(s, k, layer, &l->slots[k]) < 0)
			continue;
		if (lower_slot_open_data(l->slots[k]) == 0) {
			n_found++;
		} else {
			lower_slot_close(l->slots[k]);
			l->slots[k] = NULL;
		}
	}
	if (n_found > 0)
		*out = l;
	else
		span_lower_free(l);
	return 0;
}

void span_lower_free(struct span_lower *l)
{
	size_t k;

	if (!l)
		return;
	for (k = 0; k < l->n; k++)
		lower_slot_close(l->slots[k]);
	free(l->slots);
	free(l);
}

int span_lower_find(const struct span_lower *l, uint32_t i, const struct span *sp)
{
	uint8_t bad;
	size_t k;

	if (!l || i >= l->n_spans)
		return -1;
	bad = __atomic_load_n(&l->spans[i].bad, __ATOMIC_RELAXED);
	for (k = 0; k < l->n; k++) {
		if (l->slots[k] && !(bad & 1u << k) &&
		    lower_slot_has(l->slots[k], i, sp->out, (uint32_t)sp->out_len))
			return (int)k;
	}
	return -1;
}

bool span_lower_is_held(const struct span_lower *l, int k)
{
	return lower_slot_is_held(l->slots[k]);
}

static bool is_right(const struct lower_slot *ls, uint32_t i, const struct span *sp,
		     const void *mem)
{
	if (span_can_check(sp))
		return span_check(sp, mem) == 0;
	return checksum(0, mem, (size_t)sp->out_len) == lower_slot_word(ls, i);
}

int span_lower_load(struct span_lower *l, int k, uint32_t i, const struct span *sp,
		    void *mem)
{
	const struct lower_slot *ls = l->slots[k];
	int rc = fd_read_all(lower_slot_data(ls), mem, (size_t)sp->out_len, sp->out);

	if (rc == 0 && !is_right(ls, i, sp, mem))
		rc = -EBADMSG;
	if (rc < 0)
		__atomic_fetch_or(&l->spans[i].bad, (uint8_t)(1u << k), __ATOMIC_RELAXED);
	return rc;
}

void span_lower_set_ready(struct span_lower *l, int k, uint32_t i)
{
	__atomic_store_n(&l->spans[i].ready, (uint8_t)(k + 1), __ATOMIC_RELEASE);
}

int span_lower_ready(const struct span_lower *l, uint32_t i)
{
	uint8_t ready;

	if (!l || i >= l->n_spans)
		return -1;
	ready = __atomic_load_n(&l->spans[i].ready, __ATOMIC_ACQUIRE);
	return ready ? lower_slot_data(l->slots[ready - 1]) : -1;
}
