/* SPDX-License-Identifier: MIT */
/*
 * Control characters in foreign text, which no line and no terminal is to be given. Those of
 * ASCII, and U+0080 to U+009F, in UTF-8 two bytes: C2 80 to C2 9F.
 */
#ifndef BASE_CONTROL_H
#define BASE_CONTROL_H

#include <stddef.h>

/* Bytes of the control character at @p, which is before @end: 0 (it is none), 1 or 2. */
static inline size_t control_len(const char *p, const char *end)
{
	unsigned char c = (unsigned char)*p, next = end - p > 1 ? (unsigned char)p[1] : 0;

	if (c == 0xc2 && next >= 0x80 && next < 0xa0)
		return 2;
	return c < ' ' || c == 0x7f;
}

#endif
