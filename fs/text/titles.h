/* SPDX-License-Identifier: MIT */
/*
 * File names for what has none of its own: the blobs of an artifact, whose titles
 * (org.opencontainers.image.title) are anybody's word, artifact types, and the images of an
 * index. Pure.
 */
#ifndef FS_TEXT_TITLES_H
#define FS_TEXT_TITLES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct descriptor;

/*
 * @text as one name, in @name of NAME_MAX + 1 bytes: slashes and what moves a terminal
 * become '_', what is too long is cut between characters. False: nothing is left that
 * could be a name.
 */
bool title_clean(const char *text, char *name);

/*
 * A name for each of @n blobs, no two the same: its title, or, where that is none or another
 * blob's before it, its number from 1, digest and what its media type suggests:
 * "2-0123456789ab.tar.gz". *out is an array of texts for titles_free(). 0 or -ENOMEM.
 */
int titles_make(const struct descriptor *blobs, size_t n, char ***out);
/*
 * The same for images of several platforms, of which none is there twice: "linux-arm64". The
 * second of one has as much of its digest behind that as tells it from all others.
 */
int titles_of_platforms(const struct descriptor *images, size_t n, char ***out);
/* NULL is fine. */
void titles_free(char **titles, size_t n);

#endif
