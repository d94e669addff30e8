/* SPDX-License-Identifier: MIT */
/*
 * Loads something of a mount in a thread of its own, while this one draws the bar and
 * looks for a reason to stop. A registry that is silent cannot keep the program from
 * ending.
 */
#ifndef FS_FUSE_LOADING_H
#define FS_FUSE_LOADING_H

#include <stdbool.h>

struct daemon;
struct err;
struct mount;

struct loading {
	struct mount *mount;
	struct daemon *daemon; /* a dead parent is a reason to stop */
	int (*load)(struct mount *m, struct err *e);
	/*
	 * SIGHUP, SIGINT and SIGTERM, which all threads block, are reasons to stop, too. False:
	 * another thread takes them.
	 */
	bool takes_signals;
	bool stop; /* atomic: so is this */
};

/*
 * The result of l->load; -EINTR and a sentence if there was a reason to stop. Then the mount
 * needs the network no more: context_end(). If the load does not end within some seconds
 * after that, the process exits. SIGUSR1 must be blocked in all threads.
 */
int loading_run(struct loading *l, struct err *e);

#endif
