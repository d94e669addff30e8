/* SPDX-License-Identifier: MIT */
/*
 * A program that reads one small file after another, as grep -r does, gets the next ones
 * before it asks: they are put into the kernel's page cache, which costs a tenth of a read
 * request for each. Only files whose bytes are in the store; nothing is fetched.
 */
#ifndef FS_FUSE_PUSH_H
#define FS_FUSE_PUSH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct fuse_session;
struct nodes;

struct pusher {
	const struct nodes *nodes;
	struct fuse_session *session;
	bool is_closed;	       /* atomic */
	pthread_mutex_t mutex; /* held while something is pushed; guards all below */
	uint32_t layer;	       /* its number; the last read was there, */
	uint32_t entry;	       /* of this one, */
	uint32_t end;	       /* and up to here all have been pushed */
	uint32_t window;       /* how many the next read is worth */
};

void pusher_init(struct pusher *p, const struct nodes *n, struct fuse_session *session);
void pusher_release(struct pusher *p);
/*
 * Ends pushing. Waits for a push under way: call it while requests are still answered, and
 * after waiters_close(). Any thread.
 */
void pusher_close(struct pusher *p);
/* The file @node was read; the reply is ready but not sent. Any thread. */
void pusher_on_read(struct pusher *p, uint64_t node);

#endif
