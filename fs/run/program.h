/* SPDX-License-Identifier: MIT */
/* Starting the program of a sandbox, in its root, as its user, with what that user may do. */
#ifndef FS_RUN_PROGRAM_H
#define FS_RUN_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "fs/run/accounts.h"
#include "fs/run/image_config.h"

struct err;

struct program {
	struct strings words; /* at least one */
	struct strings env;
	const char *workdir; /* exists */
	const char *platform;
	struct account account;
	bool sets_groups; /* the namespace allows it */
	int terminal;	  /* becomes the standard files; -1: they stay */
};

/*
 * Forks, and executes the program in a session of its own. It gets no descriptor above 2, no
 * blocked or ignored signal, and umask 022. Of root's capabilities it has those that podman
 * gives. Returns 0, and its process in *pid; or an exit status (spec.h), and a sentence.
 */
int program_start(const struct program *p, pid_t *pid, struct err *e);

/* What is left to a process that only sends signals. 0 or a negative errno. */
int program_keep_kill(void);

#endif
