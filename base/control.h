/* SPDX-License-Identifier: MIT */
/*
 * Control characters in foreign text, which must not reach a terminal: those of ASCII, and
 * U+0080 to U+009F, which are the two bytes C2 80 to C2 9F in UTF-8.
 */
#ifndef BASE_CONTROL_H
#define BASE_CONTROL_H

#include <stddef.h>

/* The length of the control character at @p < @end: 1 or 2; 0 if it is another character. */
static inline size_t control_len(const char *p, const char *end)
{
	unsigned char c = (unsigned char)*p, next = end - p > 1 ? (unsigned char)p[1] : 0;

	if (c == 0xc2 && next >= 0x80 && next < 0xa0)
		return 2;
	return c < ' ' || c == 0x7f;
}

#endif
