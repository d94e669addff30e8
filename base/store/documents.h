/* SPDX-License-Identifier: MIT */
/* Manifests, indexes and configs, kept whole by their digest. */
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

/* Hashes all documents and notes, and removes the damaged ones, which *bad counts. */
int store_check_documents(struct store *s, unsigned *bad);

#endif
