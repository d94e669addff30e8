/* SPDX-License-Identifier: MIT */
/*
 * Requests that have to wait: for the network, or for an image that is being loaded.
 *
 * libfuse has a small number of workers, and the kernel does not send the next request to a
 * worker that waits. So a worker first tries to answer at once, with a waiter that does not
 * wait. Where that is not possible, the request moves to a thread of its own, which does the
 * same work again and waits. Any number of waiting requests then delay nobody.
 *
 * The alternative, to reply from the completion of a transfer, would turn every path that may
 * wait into a state machine. A waiting thread costs some 20 KiB of memory.
 */
#ifndef FS_FUSE_DEFERRED_H
#define FS_FUSE_DEFERRED_H

#include <pthread.h>
#include <stdbool.h>

/* A request that waits for a thread, or has one. Embedded in what the work needs. */
struct deferred {
	struct deferred *next;
	/* Does the work and replies; frees the request. In a thread of its own. */
	void (*work)(struct deferred *d);
};

struct deferred_queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct deferred *first, **end; /* under lock: no thread has taken them yet */
	unsigned n_queued;	       /* under lock */
	unsigned n_threads, n_free; /* under lock; free: without a request, or starting */
	bool is_closed;		    /* under lock */
};

void deferred_init(struct deferred_queue *q);
/* No thread is left: after deferred_close(). */
void deferred_release(struct deferred_queue *q);

/*
 * Hands @d over. 0, or a negative errno if there is no thread and none can be started; then
 * @d is still the caller's.
 */
int deferred_add(struct deferred_queue *q, struct deferred *d);

/*
 * Waits until every request has been answered and every thread has ended. The caller has
 * ended all waits before, and adds nothing any more.
 */
void deferred_close(struct deferred_queue *q);

#endif
