/* SPDX-License-Identifier: MIT */
/* A program run for what it prints, without a shell and within a time. */
#ifndef REGISTRY_AUTH_HELPER_H
#define REGISTRY_AUTH_HELPER_H

#include <stddef.h>

struct buf;
struct err;

/* What is written to a program's standard input must fit a pipe. */
#define HELPER_INPUT_MAX 4096

/*
 * Runs @argv (argv[0] is looked up in PATH) with @input on its standard input and gives
 * its standard output, up to the ceiling of @out, and its exit status. A program
 * that takes longer than @seconds is killed with all that it started: -ETIMEDOUT.
 * -ENOENT: no such program.
 */
int helper_run(const char *const *argv, const char *input, unsigned seconds,
	       struct buf *out, int *status, struct err *e);

#endif
