/* SPDX-License-Identifier: MIT */
/*
 * Going to the background. A child does the work, before any thread exists; the parent
 * stays in the foreground until the child reports success or failure.
 */
#ifndef FS_FUSE_DAEMON_H
#define FS_FUSE_DAEMON_H

#include <stdbool.h>

struct daemon {
	int pipe; /* to the parent; -1 in the foreground, and after daemon_tell() */
};

/* Blocks the signals that end the program and those it sends itself; ignores SIGPIPE. */
void daemon_block_signals(void);

/*
 * Forks. Returns -1 in the child, or at once with @foreground. In the parent it passes
 * signals on to the child and, once that has reported or died, returns the exit status.
 * -2: there could be no child.
 */
int daemon_split(struct daemon *d, bool foreground);

/* In the child: whether the parent has died. */
bool daemon_is_orphan(const struct daemon *d);
/*
 * In the child: makes the parent exit with @status. Only the first call matters. False if
 * the parent has died.
 */
bool daemon_tell(struct daemon *d, int status);
/* In the child: leaves the terminal and the current directory. */
void daemon_detach(void);

#endif
