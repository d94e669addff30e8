/* SPDX-License-Identifier: MIT */
/*
 * A growing run of bytes that is told its ceiling at birth.
 *
 * Invariants: len <= cap, len <= max; when data is not NULL, data[len] is NUL, so
 * the content can be read as a string. A failed append leaves the content as it
 * was. Not for use by two threads at once.
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

/* @max: no append goes beyond it; say beside the call why it is that much. */
void buf_init(struct buf *b, size_t max);
/* Frees the bytes; the buf may be used again. */
void buf_release(struct buf *b);
/* Forgets the content, keeps the memory. */
void buf_clear(struct buf *b);

/* 0, -E2BIG past the ceiling, -ENOMEM. */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_append_text(struct buf *b, const char *text);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for @len more bytes and gives where they go; buf_advance() counts them in. */
int buf_reserve(struct buf *b, size_t len, void **out);
void buf_advance(struct buf *b, size_t len);

/* The content as text, never NULL. Borrowed until the next call that changes the buf. */
const char *buf_text(const struct buf *b);
/* Moves the bytes out: the caller frees them. NULL when there are none. */
char *buf_take(struct buf *b);

#endif
