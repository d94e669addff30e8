/* SPDX-License-Identifier: MIT */
/*
 * The decoded spans of a layer in lower stores (base/store/lower.h): where they are, and
 * which of them were checked. Calls take NULL for a layer that no lower store has. Safe in
 * any thread.
 *
 * A span that was checked is used in place if its bytes cannot vanish; else its bytes are
 * copied and checked for each use.
 */
#ifndef TAR_SPAN_LOWER_H
#define TAR_SPAN_LOWER_H

#include <stdbool.h>
#include <stdint.h>

struct digest;
struct span;
struct span_lower;
struct store;

/*
 * Looks for the data of @layer, which has @n_spans spans. *out is NULL if no lower store
 * has any. 0 or -ENOMEM. The store is borrowed.
 */
int span_lower_open(struct store *s, const struct digest *layer, uint32_t n_spans,
		    struct span_lower **out);
void span_lower_free(struct span_lower *l);

/* The number of a store that has span @i and did not have it damaged, or -1. */
int span_lower_find(const struct span_lower *l, uint32_t i, const struct span *sp);
/* Whether spans in store @k are used in place. */
bool span_lower_is_held(const struct span_lower *l, int k);
/*
 * Reads span @i of store @k into @mem and checks it. On failure (-EBADMSG, or an error of
 * reading) span_lower_find() does not return that store for this span any more.
 */
int span_lower_load(struct span_lower *l, int k, uint32_t i, const struct span *sp,
		    void *mem);
/* Span @i of store @k, which is held, was checked: from now on it is ready. */
void span_lower_set_ready(struct span_lower *l, int k, uint32_t i);
/* The descriptor in which span @i is ready, at its offset in the layer; -1: in none. */
int span_lower_ready(const struct span_lower *l, uint32_t i);

#endif
