/* SPDX-License-Identifier: MIT */
/*
 * Messages for users: to stderr at first, to syslog once the process is in the background.
 * Control characters in a message become "?". Any thread.
 */
#ifndef FS_OPTIONS_LOG_H
#define FS_OPTIONS_LOG_H

#include <stdbool.h>

struct log {
	bool to_syslog;
	bool is_verbose;
	bool has_bar; /* a progress bar is on the terminal's last line */
};

void log_init(struct log *l, bool verbose);
/* All further messages go to syslog. */
void log_to_syslog(struct log *l);

void log_error(struct log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_warn(struct log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Only if is_verbose. */
void log_info(struct log *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
