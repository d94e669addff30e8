/* SPDX-License-Identifier: MIT */
/*
 * The images of an index: those that it lists, and those of the indexes inside it, as one list.
 * image->platforms is made of it.
 */
#ifndef REGISTRY_IMAGE_OTHERS_H
#define REGISTRY_IMAGE_OTHERS_H

#include <stdbool.h>

#include "registry/image/manifest.h"

struct backend;
struct digest;
struct err;
struct image;

/* Real images have two levels of indexes at most. */
#define OTHERS_NESTING_MAX 4
/* More indexes than anybody puts into one; each is a request. */
#define OTHERS_INDEXES_MAX 50

/*
 * Moves the images of @index to *out, in the order of the index: each manifest, and for an
 * index the images inside it, whose documents are read. An inner index that cannot be read, or
 * is above a ceiling (OTHERS_NESTING_MAX levels, OTHERS_INDEXES_MAX indexes, INDEX_ENTRIES_MAX
 * images), is left out, and @why gets a sentence about the first of them; else "". -ENOMEM; on
 * an error both lists are still to be released, as always.
 */
int others_collect(struct backend *b, struct entries *index, struct entries *out,
		   struct err *why);
/* The same for all entries of the indexes, whatever they are; the indexes are among them. */
int others_collect_all(struct backend *b, struct entries *index, struct entries *out);

bool others_have(const struct entries *images, const struct digest *manifest);

/*
 * Moves the images with a platform, but for @img itself, to image->platforms, and drops those
 * that are there twice. -ENOMEM.
 */
int others_give(struct entries *images, struct image *img);

#endif
