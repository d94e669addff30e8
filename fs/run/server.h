/* SPDX-License-Identifier: MIT */
/*
 * The peelfs of a sandbox: an ordinary process of the user, outside of all its namespaces. It
 * serves a mount that the sandbox has made, and ends with it, or with the process that
 * started it.
 */
#ifndef FS_RUN_SERVER_H
#define FS_RUN_SERVER_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct run_spec;

/*
 * Starts it with the signal mask @mask. It waits for the device of the mount at @socket, and
 * ends if none comes. @all_root: all files belong to root. Its process, or a negative errno.
 */
pid_t server_start(const struct run_spec *s, bool all_root, int socket,
		   const sigset_t *mask);

#endif
