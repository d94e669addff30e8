/* SPDX-License-Identifier: MIT */
/* What `peelctl run` was asked for. All is borrowed from the command line. */
#ifndef FS_RUN_SPEC_H
#define FS_RUN_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>

struct run_volume {
	const char *source;
	const char *target; /* absolute, and not the root */
	bool is_read_only;
};

struct run_spec {
	const char *peelfs; /* the program */
	const char *source;
	char **lists; /* the values of -o for peelfs, up to a NULL */
	char **words; /* the command, up to a NULL; may be empty */
	bool is_interactive, has_terminal;
	bool has_network;
	struct winsize size;	/* of the new terminal */
	const char *const *env; /* NAME=VALUE, or NAME alone: as outside; up to a NULL */
	const struct run_volume *volumes;
	size_t n_volumes;
	const char *workdir; /* this and the next: NULL: as the image says */
	const char *user;
	const char *kept; /* a directory for what is written; NULL: memory */
};

/* Exit statuses, as a shell's and podman's; 128 + N: signal N ended the program. */
#define RUN_FAILED     125 /* ours: nothing was run */
#define RUN_UNRUNNABLE 126 /* the command cannot be executed */
#define RUN_NOT_FOUND  127 /* there is no such command */
#define RUN_SIGNALLED  128

#endif
