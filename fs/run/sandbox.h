/* SPDX-License-Identifier: MIT */
/*
 * A program in an image, from beginning to end:
 *
 *	this process	terminal and signals; waits
 *	  peelfs	server.h: the image
 *	  init		init.h: new user, mount, pid and IPC namespaces, perhaps network
 *	    program
 *
 * Each ends when the one above it does, however that ends, and with init all mounts.
 */
#ifndef FS_RUN_SANDBOX_H
#define FS_RUN_SANDBOX_H

struct run_spec;

/*
 * Runs it. Prints what fails to stderr. Returns the exit status (spec.h). Before threads
 * start; blocks signals.
 */
int sandbox_run(const struct run_spec *spec);

#endif
