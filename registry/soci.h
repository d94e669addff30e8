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

/* See image_source_find_ztocs(). */
int soci_find(struct backend *b, struct image *img, bool may_ask, struct err *e);

#endif
