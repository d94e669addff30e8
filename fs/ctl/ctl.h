/* SPDX-License-Identifier: MIT */
#ifndef FS_CTL_CTL_H
#define FS_CTL_CTL_H

/* A command of peelctl. Each has a source of its own; peelctl.c lists them. */
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

/* Prints what is wrong with the words and where help is. The exit status, 1. */
int ctl_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
