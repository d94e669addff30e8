/* SPDX-License-Identifier: MIT */
/*
 * The kernel's EROFS at the mount point. Its source is rootfs.erofs in a FUSE mount that is
 * attached nowhere, so it goes when the EROFS goes:
 *
 *	erofs_mount_open()	makes the FUSE mount; then the session is to serve it
 *	erofs_mount_attach()	mounts the EROFS, while the session serves
 *	erofs_mount_leave()	it was unmounted: the FUSE mount is held no longer
 *	erofs_mount_close()	unmounts it if it is still there
 *
 * One that the kernel cannot mount from a file (before Linux 6.12) gets a loop device.
 */
#ifndef FS_FUSE_EROFS_MOUNT_H
#define FS_FUSE_EROFS_MOUNT_H

#include <stdbool.h>
#include <sys/types.h>

struct detached;
struct err;
struct view;

struct erofs_mount {
	int fuse;	  /* atomic: the FUSE mount, held for peelctl; -1 */
	char device[32];  /* what libfuse takes for a mount point: "/dev/fd/N" */
	bool is_attached; /* there was an EROFS at the mount point: */
	dev_t dev;	  /* of the EROFS */
};

/* Whether this machine can mount one at all, as far as it is known before. */
int erofs_mount_check(struct err *e);

/* To be closed also after a failure. 0, or a negative errno and a sentence. */
int erofs_mount_open(struct erofs_mount *m, struct err *e);
/*
 * Mounts @v, whose tree is loaded, at the mount point of its context. Waits for the session.
 * @d learns what to watch: detached_await(). 0, or a negative errno and a sentence.
 */
int erofs_mount_attach(struct erofs_mount *m, const struct view *v, struct detached *d,
		       struct err *e);
/* Any thread, any number of times. */
void erofs_mount_leave(struct erofs_mount *m);
void erofs_mount_close(struct erofs_mount *m, const char *mountpoint);

#endif
