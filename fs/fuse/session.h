/* SPDX-License-Identifier: MIT */
/* The session with the kernel: from mounting to unmounting. */
#ifndef FS_FUSE_SESSION_H
#define FS_FUSE_SESSION_H

struct err;
struct mount;

/*
 * Mounts at @mountpoint (absolute) and serves until it is unmounted, or SIGHUP, SIGINT
 * or SIGTERM comes; these and SIGUSR1 and SIGUSR2 must be blocked in all threads.
 * @ready is called once requests are answered, perhaps in another thread. 0, or
 * negative with a sentence if there was nothing to serve.
 */
int session_run(struct mount *m, const char *mountpoint, void (*ready)(void *arg),
		void *arg, struct err *e);

#endif
