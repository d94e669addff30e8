/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 256 /* one allocation is enough for most texts */

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_release(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

int buf_reserve(struct buf *b, size_t len, void **out)
{
	size_t cap = b->cap;
	char *data;

	if (len > b->max - b->len)
		return -E2BIG;
	if (!b->data || len > b->cap - b->len) {
		if (cap < BUF_FIRST)
			cap = BUF_FIRST;
		while (cap - b->len < len)
			cap = cap > b->max / 2 ? b->max : cap * 2;
		data = realloc(b->data, cap + 1);
		if (!data)
			return -ENOMEM;
		b->data = data;
		b->cap = cap;
		b->data[b->len] = '\0';
	}
	*out = b->data + b->len;
	return 0;
}

void buf_advance(struct buf *b, size_t len)
{
	b->len += len;
	b->data[b->len] = '\0';
}

int buf_append(struct buf *b, const void *data, size_t len)
{
	void *to;
	int rc = buf_reserve(b, len, &to);

	if (rc < 0)
		return rc;
	if (len > 0)
		memcpy(to, data, len);
	buf_advance(b, len);
	return 0;
}

int buf_append_text(struct buf *b, const char *text)
{
	return buf_append(b, text, strlen(text));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	void *to;
	int len, rc;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		return -EINVAL;
	rc = buf_reserve(b, (size_t)len, &to);
	if (rc < 0)
		return rc;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)len + 1, fmt, ap);
	va_end(ap);
	buf_advance(b, (size_t)len);
	return 0;
}

const char *buf_text(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
	char *data = b->data;

	b->data = NULL;
	b->len = b->cap = 0;
	return data;
}
