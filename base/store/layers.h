/* SPDX-License-Identifier: MIT */
/*
 * The layers that a store contains: a walk over their directories, and what they
 * occupy.
 */
#ifndef BASE_STORE_LAYERS_H
#define BASE_STORE_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct slot_row;
struct store;

struct slot_info {
	struct digest digest;
	uint64_t index_bytes; /* on the disk */
	uint64_t data_bytes;  /* on the disk */
	uint64_t last_read;   /* seconds since the epoch, to the minute; 0: never */
	bool in_use;	      /* a mount has it open */
};

/* Calls @fn for each layer; a negative return ends the walk and is returned. */
int store_list(struct store *s, int (*fn)(void *arg, const struct slot_info *info),
	       void *arg);

/* For the modules of this folder only. */

/*
 * Calls @fn with the open directory of each layer; a negative return ends the walk and is
 * returned.
 */
typedef int layers_fn(void *arg, int dir, const struct digest *digest);
int layers_each(struct store *s, layers_fn *fn, void *arg);
/* Bytes on the disk: of one layer, by its directory, and of all. */
uint64_t layers_bytes(int dir);
int layers_count(struct store *s, uint64_t *bytes);
/*
 * Opens the data file of a layer with an exclusive lock. -1 if there is none, or if a
 * mount has it open (*in_use).
 */
int layers_lock_data(int dir, bool *in_use);
/* Maps the rows of a layer's spans; NULL if there are none. */
struct slot_row *layers_map_rows(int dir, size_t *n);
void layers_unmap_rows(struct slot_row *rows, size_t n);

#endif
