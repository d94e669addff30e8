/* SPDX-License-Identifier: MIT */
/* Running a program for its output, without a shell and with a time limit. */
#ifndef REGISTRY_AUTH_HELPER_H
#define REGISTRY_AUTH_HELPER_H

#include <stddef.h>

struct buf;
struct err;

/* The input of a program must fit into a pipe. */
#define HELPER_INPUT_MAX 4096

/*
 * Runs @argv (argv[0] is looked up in PATH) with @input on its standard input. Appends
 * its standard output to @out, up to the ceiling, and gives its exit status. A program
 * that takes longer than @seconds is killed with its whole process group: -ETIMEDOUT.
 * -ENOENT: no such program.
 */
int helper_run(const char *const *argv, const char *input, unsigned seconds,
	       struct buf *out, int *status, struct err *e);

#endif
