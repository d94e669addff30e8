/* SPDX-License-Identifier: MIT */
/*
 * Indexes of layers that the registry keeps beside an image, in an artifact in the same
 * repository whose blobs are one for each layer: peelfs' own (index_artifact.h), a referrer of
 * the image; and SOCI's, whose blobs are zTOCs, which the image manifest's annotation names
 * (version 2) or which is a referrer of the image (version 1).
 */
#ifndef REGISTRY_BESIDE_H
#define REGISTRY_BESIDE_H

#include "registry/image/backend.h"
#include "registry/image/image.h"

struct trust;

/* See image_source_find_beside(). What @t does not vouch for is left out. */
int beside_find(struct backend *b, const struct trust *t, struct image *img, bool may_ask,
		struct err *e);

#endif
