/* SPDX-License-Identifier: MIT */
#include "fs/options/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

#include "base/control.h"
#include "base/err.h"

void log_init(struct log *l, bool verbose)
{
	l->to_syslog = false;
	l->is_verbose = verbose;
	l->has_bar = false;
}

void log_to_syslog(struct log *l)
{
	openlog("peelfs", LOG_PID, LOG_DAEMON);
	__atomic_store_n(&l->to_syslog, true, __ATOMIC_RELEASE);
}

__attribute__((format(printf, 3, 0))) static void log_message(struct log *l, int level,
							      const char *fmt, va_list ap)
{
	char text[ERR_TEXT_MAX + 128];

	vsnprintf(text, sizeof(text), fmt, ap);
	control_mask(text);
	if (__atomic_load_n(&l->to_syslog, __ATOMIC_ACQUIRE))
		syslog(level, "%s", text);
	else
		/* Erases a bar first; it is drawn again below the message. */
		fprintf(stderr, "%speelfs: %s\n",
			__atomic_load_n(&l->has_bar, __ATOMIC_RELAXED) ? "\r\033[K" : "",
			text);
}

void log_error(struct log *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_message(l, LOG_ERR, fmt, ap);
	va_end(ap);
}

void log_warn(struct log *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_message(l, LOG_WARNING, fmt, ap);
	va_end(ap);
}

void log_info(struct log *l, const char *fmt, ...)
{
	va_list ap;

	if (!l->is_verbose)
		return;
	va_start(ap, fmt);
	log_message(l, LOG_INFO, fmt, ap);
	va_end(ap);
}
