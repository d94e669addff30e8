/* SPDX-License-Identifier: MIT */
/*
 * Parser of tar archives: v7, ustar, GNU and pax.
 *
 * There are two ways to use it. A reader is fed an archive as its bytes arrive, in pieces
 * of any size, and reports entries and their content in order. reader_scan() lists the
 * entries of an archive that a source holds, without reading their content. In both,
 * memory is bounded by the longest name, link, xattr list and sparse map. Each has a
 * ceiling that does not depend on the archive.
 *
 * The rules are those of container tools (Go's archive/tar is the reference in the
 * field): the first end-of-archive marker ends the archive and the rest is ignored;
 * global pax headers are parsed and not applied.
 */
#ifndef TAR_ARCHIVE_READER_H
#define TAR_ARCHIVE_READER_H

#include <stddef.h>

#include "tar/archive/entry.h"

struct err;
struct source;

/* Called with an entry once all of it but its content is known. */
typedef int reader_entry_fn(void *arg, const struct tar_entry *entry);

struct reader_ops {
	/* A negative errno ends the reading; reader_feed() returns it. */
	reader_entry_fn *entry;
	/* May be NULL. Content of the last entry, in order; @entry->stored bytes in all. */
	int (*content)(void *arg, const void *data, size_t len);
};

struct reader;

/* @ops must outlive the reader. */
int reader_new(const struct reader_ops *ops, void *arg, struct reader **out);
void reader_free(struct reader *r);

/*
 * Parses the next bytes. Errors: -EBADMSG for a bad checksum, number, pax record or
 * sparse map; -E2BIG for a ceiling; -ENOTSUP for a sparse form that is not read. The
 * sentence says at which byte. After an error only reader_free() may be called.
 */
int reader_feed(struct reader *r, const void *data, size_t len, struct err *e);
/* Ends the input. -EBADMSG if the archive stops inside a header or an entry. */
int reader_finish(struct reader *r, struct err *e);

/*
 * Reports each entry of the archive in @file to @entry, in order, and steps over the
 * content. The caller may then read an entry's content as the @entry->stored bytes at
 * @entry->data, for instance with source_slice(); they are the whole file if !is_sparse.
 * The same rules and errors as reader_feed() and reader_finish(): content that goes
 * beyond the end of @file is -EBADMSG, after its entry was reported. A negative errno
 * from @entry ends the scan and is returned.
 */
int reader_scan(struct source *file, reader_entry_fn *entry, void *arg, struct err *e);

#endif
