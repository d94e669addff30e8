/* SPDX-License-Identifier: MIT */
/*
 * The map of a sparse file: where in the file the stored bytes belong. All of GNU's forms
 * (old, 0.0, 0.1, 1.0) become one list of ascending extents.
 *
 * A map is cleared, filled by the calls of one form, and then checked. Only a checked map
 * may be used.
 */
#ifndef TAR_ARCHIVE_SPARSE_H
#define TAR_ARCHIVE_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/archive/entry.h"

struct err;

/*
 * The most that form 0.1 can express in the 1 MiB of a pax header. The same limit is
 * applied to the other forms, whose maps have no length limit of their own. 4 MiB of
 * memory.
 */
#define SPARSE_MAX_EXTENTS (1u << 18)

struct sparse_map {
	struct extent *extents; /* none has length 0 */
	size_t n;
	uint64_t end;	 /* of the last extent, including empty ones */
	uint64_t stored; /* sum of the lengths */
	/* Form 0.0: an offset without its length yet. Form 1.0: the same, in text. */
	bool has_off;
	uint64_t off;
	/* Form 1.0: the number being parsed. */
	uint64_t number;
	unsigned digits;
	bool has_count;
	uint64_t pairs_left;
};

void sparse_init(struct sparse_map *m);
void sparse_release(struct sparse_map *m);
/* Removes the extents but keeps the memory. */
void sparse_clear(struct sparse_map *m);

/*
 * The calls that fill a map. -EBADMSG for text that is not a number, and for extents that
 * descend, overlap or go beyond 2^63-1; -E2BIG for too many extents; -ENOMEM.
 */

/*
 * Old GNU: @n pairs of 12-byte fields, from a header or from a block that continues it.
 */
int sparse_add_gnu(struct sparse_map *m, const uint8_t *pairs, size_t n, struct err *e);
/* 0.0: the records GNU.sparse.offset and GNU.sparse.numbytes, alternating. */
int sparse_add_offset(struct sparse_map *m, uint64_t off, struct err *e);
int sparse_add_length(struct sparse_map *m, uint64_t len, struct err *e);
/* 0.1: the record GNU.sparse.map, "off,len,off,len". */
int sparse_add_list(struct sparse_map *m, const char *text, size_t len, struct err *e);
/*
 * 1.0: the next bytes from the start of the content: "count\n", then "off\nlen\n" for
 * each extent. Returns 1 when the map is complete (the rest of its last block is
 * padding), else 0.
 */
int sparse_feed(struct sparse_map *m, const uint8_t *data, size_t len, struct err *e);

/* Checks the map against a file of @size bytes, of which @stored are in the archive. */
int sparse_check(const struct sparse_map *m, uint64_t size, uint64_t stored,
		 struct err *e);

#endif
