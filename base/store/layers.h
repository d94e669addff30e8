/* SPDX-License-Identifier: MIT */
/*
 * The layers that a store contains: a list of them, and evicting what was read longest
 * ago.
 */
#ifndef BASE_STORE_LAYERS_H
#define BASE_STORE_LAYERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"

struct err;
struct store;

struct slot_info {
	struct digest digest;
	uint64_t index_bytes;	/* on the disk */
	uint64_t data_bytes;	/* on the disk */
	uint64_t partial_bytes; /* of its blob, while its first pass is not done */
	/* seconds since the epoch, to the minute; 0: it has no data */
	uint64_t last_read;
	bool in_use; /* a mount has it open */
};

/* Calls @fn for each layer; a negative return ends the walk and is returned. */
int store_list(struct store *s, int (*fn)(void *arg, const struct slot_info *info),
	       void *arg);

/*
 * Evicts until the store holds at most @keep bytes on the disk, indexes last. Layers that a
 * mount has open stay, so more may be left. *freed is the number of bytes gained. 0, or a
 * negative errno and a sentence.
 */
int store_prune(struct store *s, uint64_t keep, uint64_t *freed, struct err *e);

/* For the modules of this folder only. */

/* The bytes of all layers on the disk. */
int store_count(struct store *s, uint64_t *bytes);
/*
 * As store_prune(), but indexes go only if @keep is 0. *held is about the number of bytes that
 * are left.
 */
int store_evict(struct store *s, uint64_t keep, uint64_t *held);

#endif
