/* SPDX-License-Identifier: MIT */
/*
 * Parts of a blob that are small beside it, fetched before anything of it is mounted: its
 * last bytes, a table of contents.
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
	struct source *blob;   /* borrowed, as all here */
	const bool *cancelled; /* or NULL */
	uint64_t *bytes;       /* grows by what is fetched; atomic */
	struct store *store;   /* whose others wait, see store_note_work(); or NULL */
};

/* 0, -EINTR when cancelled, or what source_read_all() says. */
int blob_reader_read(const struct blob_reader *r, void *buf, size_t len, uint64_t off,
		     struct err *e);

/*
 * [off, off + len) in order, in pieces that are one request each, lent to @take; what that
 * returns below 0 ends it and is given back.
 */
typedef int blob_reader_take_fn(void *arg, const void *data, size_t len, struct err *e);
int blob_reader_stream(const struct blob_reader *r, uint64_t off, uint64_t len,
		       blob_reader_take_fn *take, void *arg, struct err *e);

#endif
