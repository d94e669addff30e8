/* SPDX-License-Identifier: MIT */
/*
 * Writing JSON, indented by four spaces per level, as Docker's commands print it.
 *
 * The writer adds commas and line ends. It remembers its first failure, so callers need to
 * check only jsonwrite_finish().
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
	char after; /* what was written last: '{', '[', ':' or ',' (a value) */
};

/* Appends to @out, which is borrowed. */
void jsonwrite_init(struct jsonwrite *w, struct buf *out);
/* Adds the last line end. 0, -ENOMEM or -E2BIG. */
int jsonwrite_finish(struct jsonwrite *w);

/* @bracket is '{' or '[', and '}' or ']'. */
void jsonwrite_open(struct jsonwrite *w, char bracket);
void jsonwrite_close(struct jsonwrite *w, char bracket);
/* A value must follow. */
void jsonwrite_key(struct jsonwrite *w, const char *key);

/* NULL is written as null. */
void jsonwrite_text(struct jsonwrite *w, const char *text);
void jsonwrite_number(struct jsonwrite *w, int64_t n);
void jsonwrite_thousandths(struct jsonwrite *w, unsigned n);
/*
 * Any value; NULL is written as null. So are strings that contain a NUL, because a tree does
 * not have them.
 */
void jsonwrite_value(struct jsonwrite *w, const struct json *value);

/* Key and value. */
void jsonwrite_member(struct jsonwrite *w, const char *key, const char *text);
void jsonwrite_member_number(struct jsonwrite *w, const char *key, int64_t n);
void jsonwrite_member_value(struct jsonwrite *w, const char *key,
			    const struct json *value);

#endif
