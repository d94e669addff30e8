/* SPDX-License-Identifier: MIT */
/* The store's data structures, shared by the sources of this folder only. */
#ifndef BASE_STORE_INTERNAL_H
#define BASE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/digest.h"

struct partial;

/* As many stores as one has below it. */
#define LOWER_MAX 8

/* A store below another one. */
struct lower {
	char *dir;
	int fd;
	bool is_refused; /* a file in it was, and that was said; atomic */
};

struct store {
	char *dir; /* NULL: private, in unnamed files */
	int fd;	   /* of dir; -1 */
	int tmp;   /* of dir/tmp; -1 */
	uint64_t limit;
	bool keeps_no_data;
	struct lower lower[LOWER_MAX];
	size_t n_lower;
	bool copies_lower;
	/*
	 * Bytes that may be written before the disk usage is counted again; atomic.
	 * Counting walks over all layers, and the limit need not be met to the byte.
	 */
	int64_t room;
	unsigned patience; /* seconds */
	int64_t worked;	   /* when store_note_work() last touched the locks, ms; atomic */
	pthread_mutex_t held_lock;
	struct slot *held; /* the slots that this process has locked; under held_lock */
	pthread_mutex_t partials_lock;
	struct partial *partials; /* that are open; under partials_lock */
	int trouble;		  /* errno of the first failed write; atomic */
	void (*on_trouble)(void *arg, const char *sentence);
	void *arg;
};

/*
 * A row of the file `spans`, in this machine's byte order; fields are accessed
 * atomically.
 */
struct slot_row {
	uint64_t off; /* in data */
	uint32_t len;
	uint32_t used; /* minute since the epoch of the last read; 0: not in data */
	uint32_t word; /* slot_set_word() */
	uint32_t zero;
};

_Static_assert(sizeof(struct slot_row) == 24, "slot_row is a file format");

struct slot {
	struct store *store; /* borrowed */
	struct digest layer;
	int dir;	       /* of layers/ALG/HEX; -1 if private */
	int lock;	       /* -1 until locked */
	int data;	       /* -1 until asked for */
	int guard;	       /* `data`, if it is locked but not used; else -1 */
	struct slot_row *rows; /* of `spans`, mapped */
	size_t n_rows;
	bool has_waited;       /* for the data, until the timeout */
	struct stat index;     /* of the index that was opened or published last */
	struct slot *next;     /* in store->held, while locked */
	pthread_mutex_t mutex; /* for opening data */
};

#endif
