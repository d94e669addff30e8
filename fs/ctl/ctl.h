/* SPDX-License-Identifier: MIT */
/*
 * A command of peelctl, and how it prints. Images, registries and the mounts of other users
 * supply much of what is printed, so control characters in it become "?".
 */
#ifndef FS_CTL_CTL_H
#define FS_CTL_CTL_H

#include <stddef.h>

/* Each command has a source of its own. */
struct ctl_command {
	const char *name;
	const char *usage; /* lines with the words after "peelctl", for the help */
	const char *help;  /* indented lines about it */
	/*
	 * @words are those after the name, up to a NULL. Prints the answer to stdout and
	 * errors to stderr. The exit status: 0; 1 for failure; ctl_usage() for wrong words.
	 */
	int (*run)(char **words);
};

extern const struct ctl_command status_command, wait_command, which_command,
	index_command, cache_command, ls_command, cat_command, inspect_command,
	history_command, dockerfile_command, tar_command, diff_command, run_command,
	add_command, remove_command, setup_command;

/*
 * Output. If stdout cannot be written to, the program ends there: quietly if its reader has
 * left, else with a sentence and status 1.
 */

/* Ends the program in that way: @code is the errno of writing to stdout. */
void ctl_output_failed(int code) __attribute__((noreturn));
/* Writes bytes to stdout as they are. */
void ctl_write(const void *data, size_t len);
/* Writes what is buffered. */
void ctl_flush(void);
/* Ends the output: everything is written and stdout is closed. */
void ctl_end_output(void);

/* Prints one line to stdout. */
void ctl_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints "peelctl: " and what went wrong to stderr. The exit status, 1. */
int ctl_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for wrong words, and says where help is. */
int ctl_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
