/* SPDX-License-Identifier: MIT */
/*
 * The requests that may wait for the network, so that each wait can be ended: one by
 * an interrupt of its reader, all of them when the mount ends.
 */
#ifndef FS_WAITERS_H
#define FS_WAITERS_H

#include <pthread.h>
#include <stdbool.h>

struct layer;

/* On the stack of the request. */
struct waiter {
	struct layer *layer;
	bool cancelled; /* atomic; its address is what layer_get() is given */
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

void waiters_add(struct waiters *ws, struct waiter *w, struct layer *layer);
void waiters_remove(struct waiters *ws, struct waiter *w);
/* Ends this wait. */
void waiter_cancel(struct waiter *w);
/* Ends every wait, and those that would begin. */
void waiters_close(struct waiters *ws);

#endif
