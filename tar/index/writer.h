/* SPDX-License-Identifier: MIT */
/*
 * Writes an index file (indexfile.h) front to back, section after section, with no
 * more memory than a block. Not for two threads at once.
 */
#ifndef TAR_INDEX_WRITER_H
#define TAR_INDEX_WRITER_H

#include <stddef.h>

#include "tar/index/format.h"

struct writer;

/* @fd is an empty file, borrowed. If its disk is full, it becomes a file in memory. */
int writer_new(int fd, struct writer **out);
void writer_free(struct writer *w);

/* What follows belongs to @section; each is begun at most once. */
void writer_begin(struct writer *w, enum index_section section);
/*
 * A failure to write is kept, and given by writer_finish(): callers need not look at
 * each append.
 */
void writer_append(struct writer *w, const void *data, size_t len);
/* Bytes in the section so far. */
uint64_t writer_tell(const struct writer *w);
/*
 * The checksums and the head: @head's fields from n_skipped on are the caller's, the
 * rest is filled in. 0 or negative errno (ENOSPC, EIO).
 */
int writer_finish(struct writer *w, struct index_head *head);

#endif
