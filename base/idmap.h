/* SPDX-License-Identifier: MIT */
/*
 * A hash table from numbers of ours, which nobody outside chooses and so nobody can make
 * collide, to numbers or pointers. One thread.
 */
#ifndef BASE_IDMAP_H
#define BASE_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap_row {
	uint64_t id;
	uint64_t value; /* 0: the row is free */
};

/* All zeros is an empty one. */
struct idmap {
	struct idmap_row *rows; /* to walk along them; free ones are among them */
	size_t n_rows;		/* a power of two, or 0 */
	size_t n;		/* of them, those that are not free */
};

void idmap_release(struct idmap *m);
/* The value of an id, which may be set to another one but 0. Borrowed until the map changes. */
uint64_t *idmap_find(const struct idmap *m, uint64_t id);
/* Adds an id that is not there. @value is not 0. 0 or -ENOMEM. */
int idmap_add(struct idmap *m, uint64_t id, uint64_t value);

#endif
