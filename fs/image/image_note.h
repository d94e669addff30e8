/* SPDX-License-Identifier: MIT */
/*
 * Notes in the store of the images that were mounted, by which `peelctl cache list` knows
 * whose the layers are. Any thread.
 */
#ifndef FS_IMAGE_IMAGE_NOTE_H
#define FS_IMAGE_IMAGE_NOTE_H

#include <stdbool.h>

#include "base/digest.h"

struct image;
struct store;

/* Notes the image under its name, and keeps its manifest, if the store can. */
void image_note_put(struct store *store, const struct image *img);

/*
 * Reads the text of a note (store_each_note()): the manifest's digest, and the name, which is
 * borrowed from @text. False if it is not one of these notes.
 */
bool image_note_parse(const char *text, struct digest *manifest, const char **name);

#endif
