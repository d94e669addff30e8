/* SPDX-License-Identifier: MIT */
/* Removing the spans that were read longest ago, and whole layers. */
#ifndef BASE_STORE_EVICT_H
#define BASE_STORE_EVICT_H

#include <stdint.h>

struct err;
struct store;

/*
 * Evicts until the store holds at most @keep bytes, indexes only if @keep is 0. Layers
 * that a mount has open stay, so more may be left. *freed is the number of bytes gained.
 */
int store_prune(struct store *s, uint64_t keep, uint64_t *freed, struct err *e);
/* The same; *held is the number of bytes that are left. */
int store_evict(struct store *s, uint64_t keep, uint64_t *held);

#endif
