/* SPDX-License-Identifier: MIT */
/* The session with the kernel: from mounting to unmounting. */
#ifndef FS_FUSE_SESSION_H
#define FS_FUSE_SESSION_H

struct err;
struct nodes;

/*
 * Mounts at the mount point of the context and serves until that is unmounted, or SIGHUP,
 * SIGINT or SIGTERM comes; these and SIGUSR1 and SIGUSR2 must be blocked in all threads.
 * @ready is called once requests are answered, perhaps in another thread. At the end the
 * context is ended: context_end(). 0, or a negative errno and a sentence.
 */
int session_run(const struct nodes *n, void (*ready)(void *arg), void *arg,
		struct err *e);

#endif
