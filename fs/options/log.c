/* SPDX-License-Identifier: MIT */
#include "fs/options/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/control.h"
#include "base/err.h"

void log_init(struct log *l, bool verbose)
{
	l->to_syslog = false;
	l->is_verbose = verbose;
	l->has_bar = false;
	l->program = NULL;
	l->on_error = NULL;
}

void log_to_syslog(struct log *l)
{
	openlog("peelfs", LOG_PID, LOG_DAEMON);
	__atomic_store_n(&l->to_syslog, true, __ATOMIC_RELEASE);
}

void log_message(struct log *l, int level, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX + 128];
	va_list ap;

	if (level == LOG_INFO && !l->is_verbose)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	control_mask(text);
	if (level == LOG_ERR && l->on_error) {
		l->on_error(l->arg, text);
		return;
	}
	if (__atomic_load_n(&l->to_syslog, __ATOMIC_ACQUIRE))
		syslog(level, "%s", text);
	else
		/* Erases a bar first; it is drawn again below the message. */
		fprintf(stderr, "%s%s: %s\n",
			__atomic_load_n(&l->has_bar, __ATOMIC_RELAXED) ? "\r\033[K" : "",
			l->program ? l->program : "peelfs", text);
}
