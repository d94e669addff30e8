/* SPDX-License-Identifier: MIT */
/*
 * Child processes that use a mount, so that this one cannot hang with its daemon. Even a
 * kill does not end a child that waits for a request which a daemon has read and, being
 * stopped, does not answer.
 */
#ifndef FS_CTL_CHILD_H
#define FS_CTL_CHILD_H

#include <sys/types.h>

/*
 * As fork(). A child is killed when this process ends, and has /dev/null as its standard
 * descriptors: those who read what this process writes must not wait for the child.
 */
pid_t child_fork(void);
/* Kills a child and reaps it, unless it does not die soon. */
void child_kill(pid_t child);

#endif
