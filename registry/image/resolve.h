/* SPDX-License-Identifier: MIT */
/*
 * From a reference to an image: the root document, the entry of an index that suits
 * the platform, manifest, config. Every document is checked against its digest, and
 * taken from the store if it is there.
 */
#ifndef REGISTRY_IMAGE_RESOLVE_H
#define REGISTRY_IMAGE_RESOLVE_H

#include "registry/image/backend.h"
#include "registry/image/image.h"

/* @root and @d are what backend_ops.root gave; copied. */
int resolve_image(struct backend *b, const struct buf *root, const struct descriptor *d,
		  const struct platform *want, struct image **out, struct err *e);
/* The same by a manifest's descriptor, of that root or not; @entry is copied. */
int resolve_entry(struct backend *b, const struct buf *root, const struct descriptor *d,
		  const struct descriptor *entry, struct image **out, struct err *e);

#endif
