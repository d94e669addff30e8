/* SPDX-License-Identifier: MIT */
/*
 * The file that lists images (-o images=), as text: a reference on each line, blank lines, and
 * comments, which begin with "#". Only images in registries can be listed.
 */
#ifndef FS_IMAGE_IMAGE_LINES_H
#define FS_IMAGE_IMAGE_LINES_H

#include <stddef.h>

#include "registry/image/reference.h"

struct err;

/* Of the file: people and programs write some hundred references into it. */
#define IMAGE_LINES_TEXT_MAX (1u << 20)
/* Of references: more cost a process that starts a container too much. */
#define IMAGE_LINES_MAX 1000

struct image_lines {
	const char *text; /* may have any bytes */
	size_t len;
	const char *prefix; /* what all references are below: "HOST/PATH", or "" */

	/* Set by image_lines_next(), 0 at first: */
	size_t pos;
	unsigned line; /* of the last answer, from 1 */
	unsigned n;    /* references so far */
};

/*
 * The next reference: 1 with *out, or 0 at the end. A negative errno and a sentence without
 * the number of the line: the line is none; the next call goes on behind it. After -E2BIG,
 * too many references, the end follows.
 */
int image_lines_next(struct image_lines *it, struct reference *out, struct err *e);

/* What one line is: 0, or as image_lines_next(). @prefix as there. */
int image_lines_parse(const char *word, const char *prefix, struct reference *out,
		      struct err *e);

/*
 * Writes the name of an image as engines write it, "HOST/PATH:TAG" or "HOST/PATH@DIGEST", to
 * @out, of REFERENCE_TEXT_MAX bytes, and returns it.
 */
const char *image_lines_name(const struct reference *r, char *out);

#endif
