/* SPDX-License-Identifier: MIT */
/*
 * The first process of a sandbox: it builds the root, starts the program, passes signals on
 * to it, reaps what it leaves, and ends with it. The kernel then kills all others of the pid
 * namespace. It ends, too, when the other end of its control socket is closed or the process
 * that started it dies.
 */
#ifndef FS_RUN_INIT_H
#define FS_RUN_INIT_H

#include <stdbool.h>

#include "fs/run/spec.h"

struct ids;

/*
 * What goes over the control socket, a message each. To init: INIT_GO, once its IDs are
 * there; then struct init_signal. From init, with fdpass_send() or as a byte: INIT_TERMINAL
 * and the terminal's other end, INIT_STARTED just before the program starts.
 */
#define INIT_GO	      'g'
#define INIT_TERMINAL 't'
#define INIT_STARTED  's'

struct init_signal {
	int number;
	bool to_group; /* to the process group of the program */
};

struct init {
	const struct run_spec *spec;
	const struct ids *ids;
	int control;
	int peelfs; /* a socket; the device of the image's mount is sent to it */
};

/* Runs in the new namespaces. Prints what fails to stderr. Returns the exit status. */
int init_main(const struct init *i);

#endif
