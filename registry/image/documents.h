/* SPDX-License-Identifier: MIT */
/* Verified documents: an index, manifest or config by its descriptor. */
#ifndef REGISTRY_IMAGE_DOCUMENTS_H
#define REGISTRY_IMAGE_DOCUMENTS_H

#include "registry/image/backend.h"

/* The size in a descriptor of which only the digest is known. */
#define DOCUMENT_SIZE_UNKNOWN UINT64_MAX

/*
 * Gets a document from the descriptor's embedded data, the store, or the backend, and checks
 * its size and digest. The store keeps what a remote backend gave. Initializes @out.
 * -EBADMSG: wrong digest or size; -E2BIG: over DOCUMENT_MAX; else the backend's errors.
 */
int document_get(struct backend *b, const struct descriptor *d, struct buf *out,
		 struct err *e);

#endif
