/* SPDX-License-Identifier: MIT */
/* What a session serves: the userdata of libfuse's session. */
#ifndef FS_FUSE_SERVED_H
#define FS_FUSE_SERVED_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/fuse/deferred.h"
#include "fs/fuse/push.h"

struct nodes;
struct short_inos;

struct served {
	const struct nodes *nodes;
	struct short_inos *inos; /* of -o ino32; else NULL */
	/* Called once, when the session with the kernel begins. */
	void (*ready)(void *arg);
	void *arg;
	/* What the kernel is capable of: */
	bool no_open;
	bool no_opendir;
	/* Of INIT, the first message: init_reply.h. Atomic: it was read, the reply written. */
	bool has_read;
	bool has_replied;
	uint64_t init_offered; /* flags of the kernel */
	uint64_t init_wanted;  /* of those that libfuse does not ask for */
	struct pusher pusher;
	struct deferred_queue deferred;
};

#endif
