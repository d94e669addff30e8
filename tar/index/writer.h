/* SPDX-License-Identifier: MIT */
/*
 * Writes an index file (format.h) from front to back, section by section, with no more
 * memory than a block. One thread at a time.
 */
#ifndef TAR_INDEX_WRITER_H
#define TAR_INDEX_WRITER_H

#include <stddef.h>

#include "tar/index/format.h"

struct writer;

/*
 * @fd is an empty file, borrowed. If its disk is full, it is replaced by a file in
 * memory.
 */
int writer_new(int fd, struct writer **out);
void writer_free(struct writer *w);

/* Starts @section. Each section is started at most once. */
void writer_begin(struct writer *w, enum index_section section);
/*
 * Appends to the section. A failure is remembered and returned by writer_finish(), so
 * callers need not check each call.
 */
void writer_append(struct writer *w, const void *data, size_t len);
/* Bytes in the section so far. */
uint64_t writer_tell(const struct writer *w);
/*
 * Writes the checksums and the head. The caller has set the fields of @head from
 * n_skipped on; the others are filled in here. 0 or negative errno (ENOSPC, EIO).
 */
int writer_finish(struct writer *w, struct index_head *head);

#endif
