/* SPDX-License-Identifier: MIT */
/* Writes an index in the form in which it is pushed to a registry (pushed_format.h). */
#ifndef TAR_TOC_PUSH_H
#define TAR_TOC_PUSH_H

struct buf;
struct err;
struct index;

/*
 * Appends the packed form to @out. -ENOTSUP: the layer has sparse files, or links to a file
 * that it replaces, which a reader could not check; -E2BIG: more entries or bytes than a reader
 * takes; -EBADMSG: the index is damaged; -ENOMEM. With a sentence.
 */
int push_write(const struct index *ix, struct buf *out, struct err *e);
/* The same, not packed. */
int push_write_raw(const struct index *ix, struct buf *out, struct err *e);

#endif
