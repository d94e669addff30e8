/* SPDX-License-Identifier: MIT */
/*
 * The layers that a store contains, and writing within its limit. Room is made by
 * evicting the spans that were read longest ago.
 */
#ifndef BASE_STORE_ROOM_H
#define BASE_STORE_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct err;
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

/*
 * Evicts until the store holds at most @keep bytes, indexes only if @keep is 0. Layers
 * that a mount has open stay, so more may be left. *freed is the number of bytes gained.
 */
int store_prune(struct store *s, uint64_t keep, uint64_t *freed, struct err *e);
/*
 * Call it before writing @len more bytes. Evicts if they do not fit, which may take a
 * while; -ENOSPC if that does not free enough.
 */
int store_make_room(struct store *s, uint64_t len);
/* Makes room and writes at @off of @fd, a file of the store. */
bool store_keep(struct store *s, int fd, const void *data, size_t len, uint64_t off);
/*
 * A descriptor of a new unnamed file with @size bytes allocated, owned by the caller, or
 * negative errno. For bytes that have to be in a file although they are not kept: where
 * the store has no room, the file is in $TMPDIR.
 */
int store_new_copy(struct store *s, uint64_t size);

#endif
