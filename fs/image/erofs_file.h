/* SPDX-License-Identifier: MIT */
#ifndef FS_IMAGE_EROFS_FILE_H
#define FS_IMAGE_EROFS_FILE_H

#include <stdint.h>

struct context;
struct erofs_image;
struct err;
struct image;
struct merge;

/*
 * The merged tree of an image as an EROFS image, in unnamed files of the store, or in memory
 * if that has no room. @n_entries of all layers say how much room. What the tree has and EROFS
 * cannot express is counted in the log. context_cancel() ends it with -EINTR. A negative
 * errno and a sentence.
 */
int erofs_file_make(struct context *c, const struct image *img, struct merge *m,
		    uint64_t n_entries, struct erofs_image **out, struct err *e);

#endif
