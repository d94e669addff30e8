/* SPDX-License-Identifier: MIT */
/*
 * A growing array of bytes with a ceiling.
 *
 * Invariants: len <= cap and len <= max; if data is not NULL, data[len] is NUL, so the
 * content can be used as a string. A failed append does not change the content. One thread at a
 * time.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t cap; /* allocated, without the final NUL */
	size_t max;
};

/* @max is the ceiling of the content; the caller comments on its reason. */
void buf_init(struct buf *b, size_t max);
/* Frees the bytes. The buf may be used again. */
void buf_release(struct buf *b);
/* Empties the buf, but keeps its memory. */
void buf_clear(struct buf *b);

/* Each 0, -E2BIG above the ceiling, or -ENOMEM. */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_append_text(struct buf *b, const char *text);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for @len more bytes at *out, which buf_advance() then adds to the content. */
int buf_reserve(struct buf *b, size_t len, void **out);
void buf_advance(struct buf *b, size_t len);

/* The content as a string, never NULL. Borrowed until the buf changes. */
const char *buf_text(const struct buf *b);
/* Moves the bytes to the caller, who frees them. NULL if there are none. */
char *buf_take(struct buf *b);

#endif
