/* SPDX-License-Identifier: MIT */
/* A hash table with open addressing, at most half full. */
#include "fs/ctl/first_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct first_name {
	uint64_t node; /* 0: free */
	char *name;
};

void first_names_init(struct first_names *f)
{
	*f = (struct first_names){0};
}

void first_names_release(struct first_names *f)
{
	size_t i;

	for (i = 0; i < f->n_slots; i++)
		free(f->slots[i].name);
	free(f->slots);
	first_names_init(f);
}

/* The slot of @node, or the free one for it. */
static struct first_name *find_slot(const struct first_names *f, uint64_t node)
{
	/* Ids differ in their low bits and in some high ones: all have a part in the top. */
	size_t i = (size_t)((node * UINT64_C(0x9e3779b97f4a7c15)) >> 32);

	while (f->slots[i &= f->n_slots - 1].node && f->slots[i].node != node)
		i++;
	return &f->slots[i];
}

const char *first_names_get(const struct first_names *f, uint64_t node)
{
	return f->n_slots > 0 ? find_slot(f, node)->name : NULL;
}

static int grow(struct first_names *f)
{
	struct first_names new = {.n_slots = f->n_slots ? f->n_slots * 2 : 64, .n = f->n};
	size_t i;

	new.slots = calloc(new.n_slots, sizeof(*new.slots));
	if (!new.slots)
		return -ENOMEM;
	for (i = 0; i < f->n_slots; i++) {
		if (f->slots[i].node)
			*find_slot(&new, f->slots[i].node) = f->slots[i];
	}
	free(f->slots);
	*f = new;
	return 0;
}

int first_names_add(struct first_names *f, uint64_t node, const char *name)
{
	struct first_name new = {.node = node};

	if (f->n * 2 >= f->n_slots && grow(f) < 0)
		return -ENOMEM;
	new.name = strdup(name);
	if (!new.name)
		return -ENOMEM;
	*find_slot(f, node) = new;
	f->n++;
	return 0;
}
