/* SPDX-License-Identifier: MIT */
/* Writing within the limit of a store. Room is made by evicting (layers.h). */
#ifndef BASE_STORE_ROOM_H
#define BASE_STORE_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct partial;
struct store;

/*
 * Call it before writing @len more bytes. If they do not fit, this evicts, which may take a
 * while, and gives up what partials this process has open; -ENOSPC if that does not free
 * enough.
 */
int store_make_room(struct store *s, uint64_t len);
/*
 * Makes room and writes at @off of @fd, a file of the store. False, and the trouble is noted
 * (store_trouble()), if it cannot.
 */
bool store_keep(struct store *s, int fd, const void *data, size_t len, uint64_t off);
/*
 * Makes room and calls partial_append(). If that fails, the partial is given up. @p may be
 * NULL.
 */
void store_keep_partial(struct store *s, struct partial *p, const void *data, size_t len,
			uint64_t off);
/*
 * A descriptor of a new unnamed file with @size bytes allocated, owned by the caller, or
 * negative errno. For bytes that have to be in a file although they are not kept: where
 * the store has no room, the file is in $TMPDIR.
 */
int store_new_copy(struct store *s, uint64_t size);

#endif
