/* SPDX-License-Identifier: MIT */
/*
 * The decoded spans of a layer in the store: their bytes are in the slot's data file, at
 * the offset that they have in the layer, and the slot has a row for each span that is
 * there. Safe in any thread.
 */
#ifndef TAR_SPAN_FILE_H
#define TAR_SPAN_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct index;
struct slot;
struct span;
struct store;

/* What it points to is borrowed. */
struct span_file {
	struct store *store;
	struct slot *slot;
	const struct index *index;
	int index_fd; /* of an index in a lower store that is used in place; else -1 */
	/*
	 * The slot's data file; -1 if nothing can be stored on disk; SPAN_FILE_LATER.
	 * Atomic.
	 */
	int fd;
	int unnamed; /* -1; else fd is this file instead, which the span_file owns */
};

/*
 * The index is one of a lower store, and nothing was stored yet. The slot gets a copy of the
 * index, and the data file is opened, by span_file_claim(), before the first span is stored.
 */
#define SPAN_FILE_LATER (-2)

/*
 * The data file of the slot for @ix, which is the slot's own index (@index_fd is -1), or in
 * a lower store. -1 in fd is no failure.
 */
void span_file_open(struct span_file *f, struct store *store, struct slot *slot,
		    const struct index *ix, int index_fd);
void span_file_close(struct span_file *f);
/* One thread at a time; other calls may be active. */
void span_file_claim(struct span_file *f);
/* Whether spans can be stored, or may turn out to be. */
bool span_file_can_keep(const struct span_file *f);
/* The descriptor in which stored spans are; -1: there are none. */
int span_file_fd(const struct span_file *f);

/* Does a row say that span @i is there? Its bytes are not checked. */
bool span_file_has(const struct span_file *f, uint32_t i);
typedef void span_file_good_fn(void *arg, uint32_t i, const struct span *sp);

/*
 * Reads span @i back into @mem and checks it. On failure (-EBADMSG, or an error of
 * reading) the row is cleared.
 */
int span_file_load(const struct span_file *f, uint32_t i, const struct span *sp,
		   void *mem);
/*
 * Reads spans [first, first + n), which lie one behind another, back with one read, and
 * calls @good for each whose bytes are right. The rows of the others are cleared.
 */
int span_file_load_run(const struct span_file *f, uint32_t first, uint32_t n,
		       span_file_good_fn *good, void *arg);
/* Writes the bytes of span @i, but no row. false if the store does not take them. */
bool span_file_save(const struct span_file *f, uint32_t i, const struct span *sp,
		    const void *mem);
/* Sets the row of a span whose bytes were written. */
void span_file_mark(const struct span_file *f, uint32_t i, const struct span *sp);

/*
 * Are these bytes span @i? By the digest or checksum in the index or, if the index has
 * none of a span's output, by the checksum that span_file_save() put in the row.
 */
bool span_file_check(const struct slot *slot, uint32_t i, const struct span *sp,
		     const void *mem);

#endif
