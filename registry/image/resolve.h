/* SPDX-License-Identifier: MIT */
/*
 * Resolution: from the root document to an image. Chooses the entry of an index that suits
 * the platform best, then reads manifest and config. Every document is checked against its
 * digest; those in the store cause no request.
 */
#ifndef REGISTRY_IMAGE_RESOLVE_H
#define REGISTRY_IMAGE_RESOLVE_H

#include "registry/image/backend.h"
#include "registry/image/image.h"

/*
 * @root and @d are what backend_ops.root gave; they are copied. -ENOENT: no image for @want;
 * the sentence lists the platforms. -ENOTSUP: not an image or artifact of a supported form.
 */
int resolve_image(struct backend *b, const struct buf *root, const struct descriptor *d,
		  const struct platform *want, struct image **out, struct err *e);
/* The same for a given manifest @entry, copied. The root need not list it. */
int resolve_entry(struct backend *b, const struct buf *root, const struct descriptor *d,
		  const struct descriptor *entry, struct image **out, struct err *e);

#endif
