/* SPDX-License-Identifier: MIT */
/*
 * SOCI's index of an image, kept beside it in the registry: a manifest whose blobs are
 * tables (zTOCs) for layers. Found by the image manifest's annotation (version 2), or among
 * what refers to it (version 1).
 */
#ifndef REGISTRY_SOCI_H
#define REGISTRY_SOCI_H

#include "registry/image/backend.h"
#include "registry/image/image.h"

/* See image_source_find_tocs(). */
int soci_find(struct backend *b, struct image *img, bool may_ask, struct err *e);

#endif
