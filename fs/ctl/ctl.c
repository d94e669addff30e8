/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/control.h"

__attribute__((format(printf, 3, 0))) static void print_line(FILE *f, const char *end,
							     const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0) {
		fputs("peelctl: out of memory\n", stderr);
		return;
	}
	control_mask(text);
	fprintf(f, "%s%s%s\n", f == stderr ? "peelctl: " : "", text, end);
	free(text);
}

void ctl_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_line(stdout, "", fmt, ap);
	va_end(ap);
}

int ctl_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_line(stderr, "", fmt, ap);
	va_end(ap);
	return 1;
}

int ctl_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_line(stderr, "; see peelctl -h", fmt, ap);
	va_end(ap);
	return 1;
}
