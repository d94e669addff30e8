/* SPDX-License-Identifier: MIT */
/*
 * Control characters in foreign text, which must not reach a terminal: those of ASCII (C0 and
 * DEL), U+0080 to U+009F (C1), and those that change the direction of writing, U+202A to
 * U+202E and U+2066 to U+2069. The text is UTF-8.
 */
#ifndef BASE_CONTROL_H
#define BASE_CONTROL_H

#include <stddef.h>

/*
 * The length of the control character at @p < @end: 1 to 3, and its number in *@code, which
 * may be NULL; 0 if it is another character.
 */
size_t control_len(const char *p, const char *end, unsigned *code);

/* Replaces each control character of @text, also line ends and tabs, by one "?". In place. */
void control_mask(char *text);

#endif
