/* SPDX-License-Identifier: MIT */
/*
 * The file system as libfuse calls it: each request gets exactly one reply. The userdata of
 * a session is struct served.
 */
#ifndef FS_FUSE_OPERATIONS_H
#define FS_FUSE_OPERATIONS_H

#include <stdbool.h>

#include "fs/fuse/deferred.h"
#include "fs/fuse/push.h"

struct fuse_lowlevel_ops;
struct nodes;

struct served {
	const struct nodes *nodes;
	/* Called once, when the session with the kernel begins. */
	void (*ready)(void *arg);
	void *arg;
	/* What the kernel is capable of: */
	bool no_open;
	bool no_opendir;
	bool has_replied; /* atomic: the reply to INIT, the first message, was written */
	struct pusher pusher;
	struct deferred_queue deferred;
};

const struct fuse_lowlevel_ops *ops_table(void);

#endif
