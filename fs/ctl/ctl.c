/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>

int ctl_usage(const char *fmt, ...)
{
	va_list ap;

	fputs("peelctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; see peelctl -h\n", stderr);
	return 1;
}
