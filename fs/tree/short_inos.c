/* SPDX-License-Identifier: MIT */
/*
 * A hash table of the short numbers that are taken, each with the long one that has it. To
 * find the number of a long one, its candidates are looked up, one after the other, until one
 * is its own or is free.
 */
#include "fs/tree/short_inos.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define FIRST_BITS 12
/* 2^27 slots are 1.5 GiB. */
#define BITS_MAX 27

struct slot {
	uint32_t number;    /* 0: free */
	uint32_t low, high; /* of the long one; without padding */
};

struct short_inos {
	pthread_mutex_t lock;
	/* Under lock: */
	struct slot *slots;
	unsigned bits; /* there are 2^bits */
	uint32_t n;    /* taken */
};

int short_inos_new(struct short_inos **out)
{
	struct short_inos *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->bits = FIRST_BITS;
	s->slots = calloc((size_t)1 << s->bits, sizeof(*s->slots));
	if (!s->slots) {
		free(s);
		return -ENOMEM;
	}
	pthread_mutex_init(&s->lock, NULL);
	*out = s;
	return 0;
}

void short_inos_free(struct short_inos *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s->slots);
	free(s);
}

/* The slot with @number, or the free one where it belongs. */
static struct slot *find_slot(struct slot *slots, unsigned bits, uint32_t number)
{
	uint32_t mask = ((uint32_t)1 << bits) - 1;
	uint32_t i = (number * UINT32_C(2654435761)) >> (32 - bits);

	while (slots[i].number && slots[i].number != number)
		i = (i + 1) & mask;
	return &slots[i];
}

static int grow(struct short_inos *s)
{
	struct slot *slots;
	size_t i;

	if (s->bits == BITS_MAX)
		return -ENOSPC;
	slots = calloc((size_t)2 << s->bits, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (i = 0; i < (size_t)1 << s->bits; i++) {
		if (s->slots[i].number)
			*find_slot(slots, s->bits + 1, s->slots[i].number) = s->slots[i];
	}
	free(s->slots);
	s->slots = slots;
	s->bits++;
	return 0;
}

/* As node_ino_end(): 0 and 1 have a meaning. */
static uint32_t as_number(uint32_t candidate)
{
	return candidate > 1 ? candidate : candidate + 2;
}

static bool is_of(const struct slot *slot, uint32_t low, uint32_t high)
{
	return slot->low == low && slot->high == high;
}

static int get(struct short_inos *s, uint32_t low, uint32_t high, uint32_t *out)
{
	uint32_t number = as_number(low ^ high);
	struct slot *slot;
	int rc = 0;

	if (s->n >= ((uint32_t)3 << s->bits) / 4)
		rc = grow(s);
	if (rc < 0)
		return rc;
	slot = find_slot(s->slots, s->bits, number);
	while (slot->number && !is_of(slot, low, high)) {
		number = as_number(number + 1);
		slot = find_slot(s->slots, s->bits, number);
	}
	if (!slot->number) {
		*slot = (struct slot){number, low, high};
		s->n++;
	}
	*out = number;
	return 0;
}

int short_inos_get(struct short_inos *s, uint64_t ino, uint32_t *out)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = get(s, (uint32_t)ino, (uint32_t)(ino >> 32), out);
	pthread_mutex_unlock(&s->lock);
	return rc;
}
