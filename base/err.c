/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/control.h"

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	control_mask(e->text);
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
	control_mask(e->text);
	return code;
}
