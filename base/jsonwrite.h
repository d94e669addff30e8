/* SPDX-License-Identifier: MIT */
/*
 * JSON texts, indented by four spaces a level, as Docker's commands print them.
 *
 * A writer puts the commas and line ends; its failures stick, so that a text is written
 * down without a test a line, and asked for at its end.
 */
#ifndef BASE_JSONWRITE_H
#define BASE_JSONWRITE_H

#include <stdint.h>

struct buf;
struct json;

struct jsonwrite {
	struct buf *out;
	unsigned depth;
	int failed; /* 0, -ENOMEM, -E2BIG */
	char after; /* the last thing written: '{', '[', ':' or ',' (a value) */
};

/* Appends to @out, which is borrowed. */
void jsonwrite_init(struct jsonwrite *w, struct buf *out);
/* Ends the text with a line end. 0, -ENOMEM, -E2BIG. */
int jsonwrite_finish(struct jsonwrite *w);

/* '{' or '[', and its other half. */
void jsonwrite_open(struct jsonwrite *w, char bracket);
void jsonwrite_close(struct jsonwrite *w, char bracket);
/* Of an object: a value must follow. */
void jsonwrite_key(struct jsonwrite *w, const char *key);

/* NULL is null. */
void jsonwrite_text(struct jsonwrite *w, const char *text);
void jsonwrite_number(struct jsonwrite *w, int64_t n);
/*
 * Any value; NULL is null. A number that is not whole, and a text with a NUL inside,
 * cannot be told from null in a tree, and are null.
 */
void jsonwrite_value(struct jsonwrite *w, const struct json *value);

/* Key and value. */
void jsonwrite_member(struct jsonwrite *w, const char *key, const char *text);
void jsonwrite_member_number(struct jsonwrite *w, const char *key, int64_t n);
void jsonwrite_member_value(struct jsonwrite *w, const char *key,
			    const struct json *value);

#endif
