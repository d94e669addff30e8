/* SPDX-License-Identifier: MIT */
/*
 * What an index and the indexes nested in it list, as one list. image->platforms is made of it.
 */
#ifndef REGISTRY_IMAGE_NESTED_H
#define REGISTRY_IMAGE_NESTED_H

#include <stdbool.h>

#include "registry/image/manifest.h"

struct backend;
struct digest;
struct err;
struct image;

/* Real images have two levels of indexes at most. */
#define NESTED_LEVELS_MAX 4
/* More indexes than anybody puts into one; each is a request. */
#define NESTED_INDEXES_MAX 50

/*
 * Moves the images of @index to *out, in the order of the index: each manifest, and for an
 * index the images inside it, whose documents are read. An inner index that cannot be read, or
 * is above a ceiling (NESTED_LEVELS_MAX levels, NESTED_INDEXES_MAX indexes, IMAGE_INDEX_MAX
 * images), is left out, and @why gets a sentence about the first of them; else "". -ENOMEM; on
 * an error both lists are still to be released, as always.
 */
int nested_images(struct backend *b, struct entries *index, struct entries *out,
		  struct err *why);
/*
 * The same for all entries of the indexes, whatever they are; the nested indexes are among them.
 */
int nested_entries(struct backend *b, struct entries *index, struct entries *out);

/* Whether an image with this manifest is in the list. */
bool nested_has(const struct entries *images, const struct digest *manifest);

/*
 * Moves the images with a platform, but for @img itself, to image->platforms, and drops those
 * that are there twice. -ENOMEM.
 */
int nested_give_platforms(struct entries *images, struct image *img);

#endif
