/* SPDX-License-Identifier: MIT */
/*
 * Reads small parts of a blob before anything of it is mounted: its last bytes, a table
 * of contents.
 */
#ifndef TAR_TOC_BLOB_READER_H
#define TAR_TOC_BLOB_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct source;
struct store;

struct blob_reader {
	struct source *blob;   /* borrowed, like the other pointers */
	const bool *cancelled; /* may be NULL */
	uint64_t *bytes;       /* atomic; the bytes read are added to it */
	/* of the lock that is held, see store_note_work(); may be NULL */
	struct store *store;
};

/* 0, -EINTR when cancelled, or an error of source_read_all(). */
int blob_reader_read(const struct blob_reader *r, void *buf, size_t len, uint64_t off,
		     struct err *e);

/*
 * Reads [off, off + len) in order, in pieces of one request each, and calls @take with
 * each. A negative errno from @take ends the reading and is returned.
 */
typedef int blob_reader_take_fn(void *arg, const void *data, size_t len, struct err *e);
int blob_reader_stream(const struct blob_reader *r, uint64_t off, uint64_t len,
		       blob_reader_take_fn *take, void *arg, struct err *e);

#endif
