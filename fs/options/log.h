/* SPDX-License-Identifier: MIT */
/*
 * Messages for users: to stderr at first, to syslog once the process is in the background.
 * Control characters in a message become "?". Any thread.
 */
#ifndef FS_OPTIONS_LOG_H
#define FS_OPTIONS_LOG_H

#include <stdbool.h>
#include <syslog.h>

struct log {
	bool to_syslog;
	bool is_verbose;
	bool has_bar;	     /* a progress bar is on the terminal's last line */
	const char *program; /* what messages on stderr begin with; NULL: peelfs */
	/* Gets each LOG_ERR, which is then not written. Any thread. NULL: all is written. */
	void (*on_error)(void *arg, const char *sentence);
	void *arg;
};

void log_init(struct log *l, bool verbose);
/* All further messages go to syslog. */
void log_to_syslog(struct log *l);

/* @level: as for syslog(). LOG_INFO: only if is_verbose. */
void log_message(struct log *l, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(l, ...) log_message(l, LOG_ERR, __VA_ARGS__)
#define log_warn(l, ...)  log_message(l, LOG_WARNING, __VA_ARGS__)
#define log_info(l, ...)  log_message(l, LOG_INFO, __VA_ARGS__)

#endif
