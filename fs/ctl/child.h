/* SPDX-License-Identifier: MIT */
/* Child processes that use a mount, so that this one cannot hang with its daemon. */
#ifndef FS_CTL_CHILD_H
#define FS_CTL_CHILD_H

#include <sys/types.h>

/*
 * Kills a child and reaps it. One that does not die soon is left alone: it waits for a
 * request that a daemon has read, and dies when that answers or ends.
 */
void child_kill(pid_t child);

#endif
