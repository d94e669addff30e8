/* SPDX-License-Identifier: MIT */
/*
 * What store.c, kept.c, slot.c and evict.c all know of the store's inside; nobody else
 * includes this.
 */
#ifndef BASE_STORE_INTERNAL_H
#define BASE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct slot;

struct store {
	char *dir; /* NULL: private, in unnamed files */
	int fd;	   /* of dir; -1 */
	int tmp;   /* of dir/tmp; -1 */
	uint64_t limit;
	bool keeps_no_data;
	/*
	 * Bytes that may be written before the disk is looked at again; atomic. Counting is
	 * a walk over all layers, and the limit need not be met to the byte.
	 */
	int64_t room;
	unsigned patience; /* seconds; 0: the default */
	int64_t worked;	   /* when store_note_work() last did, in ms; atomic */
	pthread_mutex_t held_lock;
	struct slot *held; /* under held_lock: slots that this process has locked */
	int trouble;	   /* the first errno that kept something out; atomic */
	void (*on_trouble)(void *arg, const char *sentence);
	void *arg;
};

/* A row of the file `spans`; each field is written and read atomically. */
struct slot_row {
	uint64_t off; /* in data */
	uint32_t len;
	uint32_t used; /* minute it was last read, since the epoch; 0: not in data */
	uint32_t word; /* its reader's */
	uint32_t zero;
};

/*
 * Opens @name in @dir, close-on-exec, made with mode 0600 if @flags say so. -ENOENT for what is
 * no regular file: a FIFO that somebody put there would make us wait.
 */
int store_open_file(int dir, const char *name, int flags);
/* A directory below @at, made if missing; each part of @path is one level. */
int store_open_below(int at, const char *path);

/* @code, an errno, kept something out of the store: see store_trouble(). */
void store_note_trouble(struct store *s, int code);

/* As store_new_file(), in memory where there is no better place: an index is small enough. */
int store_new_index(struct store *s);
/*
 * Gives what was written to @fd the name @name in @dir, in place of what has it, after
 * fsync.
 */
int store_give_name(struct store *s, int fd, int dir, const char *name);

/* Whole files of at most @max bytes, in a folder of the store. Negative errno. */
int store_put_file(struct store *s, const char *folder, const char *name,
		   const void *data, size_t len);
int store_get_file(struct store *s, const char *folder, const char *name, size_t max,
		   struct buf *out);

_Static_assert(sizeof(struct slot_row) == 24, "slot_row is a file format");

#endif
