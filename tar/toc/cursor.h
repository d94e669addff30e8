/* SPDX-License-Identifier: MIT */
/*
 * Takes numbers, texts and bytes from the front of a piece of foreign memory. What is not there
 * is remembered, so that only the last of several calls needs to be checked.
 */
#ifndef TAR_TOC_CURSOR_H
#define TAR_TOC_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *at, *end;
	bool is_bad; /* something was not there, or not a number */
};

/* @len bytes, borrowed, or NULL. */
static inline const void *cursor_take(struct cursor *c, uint64_t len)
{
	const uint8_t *at = c->at;

	if (len > (size_t)(c->end - c->at)) {
		c->is_bad = true;
		return NULL;
	}
	c->at += len;
	return at;
}

/* 7 bits in each byte, the lowest first; all bytes but the last have the top bit set. */
static inline uint64_t cursor_number(struct cursor *c)
{
	uint64_t n = 0;
	unsigned shift;

	for (shift = 0; c->at < c->end && shift < 64; shift += 7) {
		uint8_t byte = *c->at++;

		if (shift == 63 && byte > 1)
			break;
		n |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return n;
	}
	c->is_bad = true;
	return 0;
}

/* A signed number: 2n, or -2n - 1 if it is negative. */
static inline uint64_t cursor_signed(struct cursor *c)
{
	uint64_t n = cursor_number(c);

	return n >> 1 ^ (n & 1 ? UINT64_MAX : 0);
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	uint64_t n = cursor_number(c);

	c->is_bad |= n > UINT32_MAX;
	return c->is_bad ? 0 : (uint32_t)n;
}

/* Up to a NUL; never NULL. */
static inline const char *cursor_text(struct cursor *c, size_t *len)
{
	const uint8_t *at = c->at, *nul = memchr(at, '\0', (size_t)(c->end - at));

	*len = nul ? (size_t)(nul - at) : 0;
	c->is_bad |= !nul;
	c->at = nul ? nul + 1 : c->end;
	return nul ? (const char *)at : "";
}

#endif
