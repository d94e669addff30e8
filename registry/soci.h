/* SPDX-License-Identifier: MIT */
/*
 * The SOCI index of an image: a manifest in the same repository whose blobs are zTOCs of
 * layers. The image manifest's annotation names it (version 2), or it is a referrer of the
 * image (version 1).
 */
#ifndef REGISTRY_SOCI_H
#define REGISTRY_SOCI_H

#include "registry/image/backend.h"
#include "registry/image/image.h"

struct trust;

/* See image_source_find_ztocs(). What @t does not vouch for is left out. */
int soci_find(struct backend *b, const struct trust *t, struct image *img, bool may_ask,
	      struct err *e);

#endif
