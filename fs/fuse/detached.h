/* SPDX-License-Identifier: MIT */
/*
 * Notices a lazy unmount (umount -l): the mount point is gone, but the kernel keeps the file
 * system while a process uses it, and does not tell the daemon.
 */
#ifndef FS_FUSE_DETACHED_H
#define FS_FUSE_DETACHED_H

#include <stdbool.h>
#include <sys/types.h>

struct detached {
	int fd;	   /* poll(2) reports POLLPRI when mounts change; -1: not watched */
	dev_t dev; /* of the file system; atomic; 0: it is not mounted yet */
};

/* @mountpoint is absolute, and mounted. Sets @d->fd to -1 if it cannot be found or watched. */
void detached_open(struct detached *d, const char *mountpoint);
/* The same for a file system that is mounted later, by any thread: detached_set(). */
void detached_await(struct detached *d);
void detached_set(struct detached *d, dev_t dev);
void detached_close(struct detached *d);
/*
 * Is the file system no longer mounted anywhere in this mount namespace? Reads the list of all
 * mounts: to be called only after poll(2) has reported a change.
 */
bool detached_check(const struct detached *d);

#endif
