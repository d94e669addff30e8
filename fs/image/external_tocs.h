/* SPDX-License-Identifier: MIT */
/* Tables of contents that a registry keeps beside an image's layers (SOCI). */
#ifndef FS_IMAGE_EXTERNAL_TOCS_H
#define FS_IMAGE_EXTERNAL_TOCS_H

struct image;
struct view;

/*
 * Finds those of the layers of @img, which is the view's, if -o index= allows it; asks the
 * registry only if a layer that may have one has no index in the store.
 */
void external_tocs_find(const struct view *v, struct image *img);

#endif
