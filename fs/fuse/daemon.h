/* SPDX-License-Identifier: MIT */
/*
 * Going to the background without losing the person in front: a child does the work,
 * before any thread exists, and the parent stays until the child says how it went.
 */
#ifndef FS_FUSE_DAEMON_H
#define FS_FUSE_DAEMON_H

#include <stdbool.h>

struct daemon {
	int pipe; /* to the parent; -1 in the foreground, and once told */
};

/* Signals that end us, and those we send to ourselves, wait until they are asked for. */
void daemon_block_signals(void);

/*
 * Forks. In the child (or at once, in the foreground) returns -1; in the parent, when
 * the child has told or died, the exit status to leave with. Signals that come to the
 * parent meanwhile are passed on. -2 if there could be no child.
 */
int daemon_split(struct daemon *d, bool foreground);

/* In the child: nobody waits any more. */
bool daemon_is_orphan(const struct daemon *d);
/*
 * In the child: tells the parent to leave with @status. Once; afterwards nothing
 * happens. False if there is no parent to be told.
 */
bool daemon_tell(struct daemon *d, int status);
/* In the child: lets go of the terminal and of the directory we were started in. */
void daemon_detach(void);

#endif
