/* SPDX-License-Identifier: MIT */
/*
 * Documents: manifests, indexes and configs, kept whole by their digest.
 *
 * Notes: short texts under a name, such as the digest that a tag last had. A later note
 * replaces an earlier one. What a store lacks is read from its lower stores (lower.h).
 * A note's checksum detects damage, not forgery; only the mode of the store's directory
 * prevents that.
 */
#ifndef BASE_STORE_DOCUMENTS_H
#define BASE_STORE_DOCUMENTS_H

#include <stddef.h>

struct buf;
struct digest;
struct store;

/*
 * Reads a document of at most @max bytes into @out, which is empty, and checks its
 * digest. 0, -ENOMEM, or -ENOENT, also if it is damaged.
 */
int store_get_document(struct store *s, const struct digest *d, size_t max,
		       struct buf *out);
/* 0 or negative errno, which the caller may ignore. */
int store_put_document(struct store *s, const struct digest *d, const void *data,
		       size_t len);

/* Appends the note to @out. -ENOENT also if it is damaged. */
int store_get_note(struct store *s, const char *name, struct buf *out);
/* @text has at most 4 KiB, else -E2BIG. */
int store_put_note(struct store *s, const char *name, const char *text);

/*
 * The same for what is true for a short time only: not kept in a store that is made for others
 * (store_copy_lower()).
 */
int store_put_passing_note(struct store *s, const char *name, const char *text);

/*
 * Calls @fn with each undamaged note of the store itself; a negative return ends the walk and
 * is returned.
 */
int store_each_note(struct store *s, int (*fn)(void *arg, const char *text), void *arg);

/* Hashes all documents and notes, and removes the damaged ones, which *bad counts. */
int store_check_documents(struct store *s, unsigned *bad);

#endif
