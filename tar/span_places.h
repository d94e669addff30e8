/* SPDX-License-Identifier: MIT */
/*
 * The files in which decoded spans of a layer are kept: the data file of its slot, which
 * is written, and those of lower stores, which are only read. Safe in any thread.
 */
#ifndef TAR_SPAN_PLACES_H
#define TAR_SPAN_PLACES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "tar/span_file.h"

struct index;
struct slot;
struct span;
struct span_lower;
struct store;

/* A place: the number of a lower store, from 0, or one of these. */
#define SPAN_IN_FILE   (-1) /* the data file */
#define SPAN_IN_MEMORY (-2) /* only the copy that the caller has got */
#define SPAN_NOWHERE   (-3)

struct span_places {
	struct span_file file;
	struct span_lower *lower; /* NULL: in no lower store */
	pthread_mutex_t claim;	  /* for span_file_claim() */
};

/* As span_file_open(). 0 or -ENOMEM. */
int span_places_open(struct span_places *p, struct store *store, struct slot *slot,
		     const struct index *ix, int index_fd);
void span_places_close(struct span_places *p);
/* As span_file_claim(), in any thread. */
void span_places_claim(struct span_places *p);

/* Where span @i is. Its bytes are not checked. */
int span_places_find(const struct span_places *p, uint32_t i, const struct span *sp);
/*
 * Reads span @i into @mem and checks it, in one place after the other. *place is where it
 * can be read from now on. 0, or -ENOENT if no place has it.
 */
int span_places_load(struct span_places *p, uint32_t i, const struct span *sp, void *mem,
		     int *place);
/*
 * Whether spans in @place can be read from there once they are checked; else
 * span_places_load() gives SPAN_IN_MEMORY.
 */
bool span_places_is_lasting(const struct span_places *p, int place);
/*
 * Checks spans [first, first + n) in @place, which is lasting, and calls @good for each whose
 * bytes are right. The others are not found there any more.
 */
int span_places_check_run(struct span_places *p, int place, uint32_t first, uint32_t n,
			  span_file_good_fn *good, void *arg);

#endif
