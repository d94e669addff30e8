/* SPDX-License-Identifier: MIT */
/* Documents by their descriptors, verified: indexes, manifests, configs. */
#ifndef REGISTRY_IMAGE_DOCUMENTS_H
#define REGISTRY_IMAGE_DOCUMENTS_H

#include "registry/image/backend.h"

/* As the size of a descriptor of which only the digest is known. */
#define DOCUMENT_SIZE_UNKNOWN UINT64_MAX

/*
 * From the descriptor itself, the store, or the backend, and then kept; @out is made by
 * this. -EBADMSG: another digest or size; -E2BIG.
 */
int document_get(struct backend *b, const struct descriptor *d, struct buf *out,
		 struct err *e);

#endif
