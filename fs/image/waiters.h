/* SPDX-License-Identifier: MIT */
/*
 * The requests that may wait for the network, so that each wait can be ended: one by
 * an interrupt of its reader, all of them when the mount ends.
 */
#ifndef FS_IMAGE_WAITERS_H
#define FS_IMAGE_WAITERS_H

#include <pthread.h>
#include <stdbool.h>

struct layer;
struct waiter;
struct waiters;

/* Tells who may interrupt (on), or may no more. */
typedef void waiter_watch_fn(struct waiter *w, bool on);

/* On the stack of the request. Costs nothing until something is waited for. */
struct waiter {
	struct waiters *all;
	waiter_watch_fn *watch;
	void *arg; /* of watch */

	struct layer *layer; /* to be woken; may be NULL */
	bool cancelled;	     /* atomic; its address is what waits are given */
	struct waiter *next;
	struct waiter **link; /* what points to it */
};

struct waiters {
	pthread_mutex_t lock;
	struct waiter *first; /* under lock */
	bool closed;	      /* under lock: whoever comes is cancelled */
};

void waiters_init(struct waiters *ws);
void waiters_release(struct waiters *ws);

/*
 * A wait for @layer (which stays), or for anything that looks at the result now and
 * then. NULL for no waiter: a wait that nobody ends.
 */
const bool *waiter_begin(struct waiter *w, struct layer *layer);
void waiter_end(struct waiter *w);
/* Ends this wait. */
void waiter_cancel(struct waiter *w);
/* Ends every wait, and those that would begin. */
void waiters_close(struct waiters *ws);

#endif
