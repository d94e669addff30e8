/* SPDX-License-Identifier: MIT */
/*
 * File names for layers, for artifact types and for the images of an index; those of an
 * artifact's blobs are in blob_names.h. Foreign text may become a name only by title_clean().
 */
#ifndef FS_TEXT_TITLES_H
#define FS_TEXT_TITLES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct descriptor;
struct image;

/* Of "N-HEX12": a number, a dash, 12 digits. */
#define LAYER_TITLE_MAX 32

/*
 * The name of layer @i in layers/: its number from 1 at the base and the first digits of its
 * digest. @i counts from 0. Returns @out, which has LAYER_TITLE_MAX bytes.
 */
const char *title_of_layer(const struct image *img, uint32_t i, char *out);

/*
 * Makes one name of @text, in @name of NAME_MAX + 1 bytes: a slash or a control character
 * becomes '_', and a long text is cut between two characters. False if nothing is left
 * that could be a name.
 */
bool title_clean(const char *text, char *name);

/*
 * A different name for each of @n images of several platforms, no two of which are the same
 * image: "linux-arm64". Further images of one platform get the first digits of their digest
 * behind that, or the whole digest where the first digits are the same too. *out is an array of
 * texts for titles_free(). 0 or -ENOMEM.
 */
int titles_of_platforms(const struct descriptor *images, size_t n, char ***out);
/* NULL is fine. */
void titles_free(char **titles, size_t n);

#endif
