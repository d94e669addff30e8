/* SPDX-License-Identifier: MIT */
/* The layers of one image, opened by several threads at once. */
#ifndef FS_IMAGE_LAYER_GROUP_H
#define FS_IMAGE_LAYER_GROUP_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct mount_layer;

/*
 * Opens and pins all of @list, which belong to the same struct layers, or none; the
 * largest first. @fail_fast: the first failure cancels whatever the mount is loading.
 * 0, also if layers are broken; else the error of one that failed, and a sentence.
 */
int layer_group_pin(struct mount_layer *const *list, size_t n, bool fail_fast,
		    struct err *e);
void layer_group_unpin(struct mount_layer *const *list, size_t n);

#endif
