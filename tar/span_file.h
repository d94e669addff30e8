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

/* All borrowed. */
struct span_file {
	struct store *store;
	struct slot *slot;
	int fd; /* the slot's data file; -1 if nothing can be stored on disk */
};

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
int span_file_load_run(const struct span_file *f, const struct index *ix, uint32_t first,
		       uint32_t n, span_file_good_fn *good, void *arg);
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
