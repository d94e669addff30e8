/* SPDX-License-Identifier: MIT */
/*
 * Notices a lazy unmount (umount -l): the mount is nowhere to be seen, but the kernel keeps the
 * file system until nobody uses it, and says nothing to the daemon.
 */
#ifndef FS_FUSE_DETACHED_H
#define FS_FUSE_DETACHED_H

#include <stdbool.h>
#include <sys/types.h>

struct detached {
	int fd;	   /* reports POLLPRI when mounts change; -1: nothing is noticed */
	dev_t dev; /* of the file system */
};

/* @mountpoint (absolute) is mounted, and stays valid meanwhile. Close it in any case. */
void detached_open(struct detached *d, const char *mountpoint);
void detached_close(struct detached *d);
/*
 * Is the file system mounted nowhere in this mount namespace any more? Looks at all mounts, so
 * only after poll(2) has reported something for @d->fd.
 */
bool detached_check(const struct detached *d);

#endif
