/* SPDX-License-Identifier: MIT */
/* The first name of each inode that has several: what its other names are links to. */
#ifndef FS_CTL_FIRST_NAMES_H
#define FS_CTL_FIRST_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct first_names {
	struct first_name *slots;
	size_t n_slots; /* 0 or a power of two */
	size_t n;
};

/* Empty. */
void first_names_init(struct first_names *f);
void first_names_release(struct first_names *f);

/* The name of @node, which is never 0; NULL if it has none yet. Borrowed. */
const char *first_names_get(const struct first_names *f, uint64_t node);
/* Keeps a copy of @name; @node has none yet. 0 or -ENOMEM. */
int first_names_add(struct first_names *f, uint64_t node, const char *name);

#endif
