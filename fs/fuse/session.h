/* SPDX-License-Identifier: MIT */
/* The session with the kernel: from mounting to unmounting. */
#ifndef FS_FUSE_SESSION_H
#define FS_FUSE_SESSION_H

struct detached;
struct err;
struct nodes;

struct session {
	const struct nodes *nodes;
	const char *at; /* where libfuse mounts; or "/dev/fd/N": it is mounted */
	/* The mount of users if that is another one: detached_await(). NULL: it is not. */
	struct detached *users;
	/* Called once requests are answered, and if @users is detached. Perhaps in other threads. */
	void (*ready)(void *arg);
	void (*left)(void *arg);
	void *arg;
};

/*
 * Mounts and serves until that is unmounted, or SIGHUP, SIGINT or SIGTERM comes; these and
 * SIGUSR1 and SIGUSR2 must be blocked in all threads. At the end the context is ended:
 * context_end(). 0, or a negative errno and a sentence.
 */
int session_run(const struct session *s, struct err *e);

#endif
