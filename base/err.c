/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Foreign text ends up in these sentences: a terminal must not obey it. U+0080 to
 * U+009F, C2 80 to C2 9F in UTF-8, are control characters too.
 */
static void make_printable(char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text, next = (unsigned char)text[1];

		if (c < ' ' || c == 0x7f)
			*text = '?';
		else if (c == 0xc2 && next >= 0x80 && next < 0xa0)
			text[0] = text[1] = '?';
	}
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	make_printable(e->text);
	return code;
}

int err_prefix(struct err *e, int code, const char *fmt, ...)
{
	struct err old;
	size_t len, room;
	va_list ap;

	if (!e)
		return code;
	old = *e;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	room = sizeof(e->text) - 1 - len;
	if (room > 2) {
		memcpy(e->text + len, ": ", 2);
		len += 2;
		room -= 2;
		memcpy(e->text + len, old.text, strnlen(old.text, room));
		e->text[len + strnlen(old.text, room)] = '\0';
	}
	make_printable(e->text);
	return code;
}
