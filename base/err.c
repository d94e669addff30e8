/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/control.h"

/* "Too many open files" alone does not say whose. */
static void explain_file_limit(struct err *e)
{
	size_t len = strlen(e->text);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		snprintf(
			e->text + len, sizeof(e->text) - len,
			" (this process may open %llu, see `ulimit -n`; a layer needs 3)",
			(unsigned long long)limit.rlim_cur);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (code == -EMFILE && !strstr(e->text, "ulimit"))
		explain_file_limit(e);
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
