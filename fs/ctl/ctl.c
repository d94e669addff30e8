/* SPDX-License-Identifier: MIT */
#include "fs/ctl/ctl.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/control.h"

/* The store survives an end at any moment. */
void ctl_output_failed(int code)
{
	if (code == EPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	ctl_error("cannot write: %s", strerror(code));
	_exit(1);
}

void ctl_write(const void *data, size_t len)
{
	if (fwrite(data, 1, len, stdout) != len)
		ctl_output_failed(errno);
}

void ctl_flush(void)
{
	if (fflush(stdout) != 0)
		ctl_output_failed(errno);
}

void ctl_end_output(void)
{
	if (ferror(stdout) || fflush(stdout) != 0 || fclose(stdout) != 0)
		ctl_output_failed(errno);
}

__attribute__((format(printf, 3, 0))) static void print_line(FILE *f, const char *end,
							     const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0) {
		fputs("peelctl: out of memory\n", stderr);
		return;
	}
	control_mask(text);
	if (fprintf(f, "%s%s%s\n", f == stderr ? "peelctl: " : "", text, end) < 0 &&
	    f == stdout)
		ctl_output_failed(errno);
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
