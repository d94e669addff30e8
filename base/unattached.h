/* SPDX-License-Identifier: MIT */
/*
 * The way to a mount that is attached nowhere: the FUSE mount below an EROFS that peelfs has
 * mounted. The kernel's EROFS passes no question on to it. So a symlink in /run/peelfs, whose
 * name is the device number of the EROFS, leads to a descriptor of the daemon, which only the
 * daemon's user can follow.
 *
 * Any thread.
 */
#ifndef BASE_UNATTACHED_H
#define BASE_UNATTACHED_H

#include <stdbool.h>
#include <sys/types.h>

/* "/run/peelfs/0:123" and a NUL. */
#define UNATTACHED_PATH_MAX 48

/*
 * Makes the symlink for the file system @dev: to the descriptor @fd of this process. Removes
 * those of processes that have died. 0 or a negative errno.
 */
int unattached_note(dev_t dev, int fd);
/* Removes it. */
void unattached_forget(dev_t dev);
/* Whether there is one for @dev, perhaps of a daemon that has died; then its path. */
bool unattached_find(dev_t dev, char path[UNATTACHED_PATH_MAX]);

#endif
