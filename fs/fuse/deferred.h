/* SPDX-License-Identifier: MIT */
/*
 * Requests that have to wait: for the network, or for an image that is being loaded.
 *
 * libfuse has a small number of workers, and a worker that waits takes no other request. So a
 * worker first tries to answer at once, with an impatient waiter (fs/image/waiters.h). Where
 * that fails, the request moves to a thread of this queue, which does the same work again and
 * waits. So waiting requests do not delay the others.
 *
 * The alternative, to reply from the completion of a transfer, would turn every path that may
 * wait into a state machine. A waiting thread costs some 20 KiB of memory.
 */
#ifndef FS_FUSE_DEFERRED_H
#define FS_FUSE_DEFERRED_H

#include <pthread.h>
#include <stdbool.h>

/* A request, as part of a larger structure with all that its work needs. */
struct deferred {
	struct deferred *next; /* in the queue */
	bool is_cancelled;     /* under the queue's lock; zero at first */
	/* Does the work, replies, and frees the request. In a thread of the queue. */
	void (*work)(struct deferred *d);
};

struct deferred_queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct deferred *first, **end; /* under lock: not taken by a thread yet */
	unsigned n_queued;	       /* under lock */
	unsigned max_threads;	       /* further requests wait in the queue */
	unsigned n_threads, n_free; /* under lock; free: without a request, or starting */
	bool is_closed;		    /* under lock */
};

void deferred_init(struct deferred_queue *q);
/* No thread is left: after deferred_close(). */
void deferred_release(struct deferred_queue *q);

/*
 * Hands @d over: 0. Or a negative errno, and @d is still the caller's: the queue has no thread
 * and cannot start one, or -EINTR: deferred_cancel() was called before.
 */
int deferred_add(struct deferred_queue *q, struct deferred *d);
/*
 * Takes @d out of the queue if no thread has begun its work. True: it is the caller's again.
 * False: it has begun, or it is not in the queue yet and never will be.
 */
bool deferred_cancel(struct deferred_queue *q, struct deferred *d);

/*
 * Waits until every request has been answered and every thread has ended. The caller ends all
 * waits before (waiters_close()), and adds no request afterwards.
 */
void deferred_close(struct deferred_queue *q);

#endif
