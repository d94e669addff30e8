/* SPDX-License-Identifier: MIT */
/*
 * The requests that wait for the network or for loading. Each wait can be ended: one by an
 * interrupt of its reader, all of them when the mount ends. Any thread.
 */
#ifndef FS_IMAGE_WAITERS_H
#define FS_IMAGE_WAITERS_H

#include <pthread.h>
#include <stdbool.h>

struct layer;
struct waiter;
struct waiters;

/* Called when interrupts begin (@on) and cease to matter to the request. */
typedef void waiter_watch_fn(struct waiter *w, bool on);

/* One for each request, on its stack. Costs nothing until the request waits. */
struct waiter {
	struct waiters *all;
	waiter_watch_fn *watch;
	void *arg;	   /* for watch */
	bool is_impatient; /* does not wait: what would have to wait ends with -EINTR */
	bool is_given_up;  /* the mount has ended the wait, not the reader */

	/* Private: */
	struct layer *layer; /* to be woken; may be NULL */
	bool cancelled;	     /* atomic; the waiting call looks at it */
	struct waiter *next;
	struct waiter **link; /* the pointer that points here */
};

struct waiters {
	pthread_mutex_t lock;
	struct waiter *first; /* under lock */
	bool closed;	      /* under lock: a wait that begins is cancelled */
};

void waiters_init(struct waiters *ws);
/* No wait may be under way. */
void waiters_release(struct waiters *ws);

/*
 * Begins a wait for @layer, which must outlive it, or, with NULL, for something that calls
 * waiter_pause(). Returns the flag that is set when the wait is to end. NULL as @w, and as
 * the flag: a wait that cannot be ended. waiter_end() ends it in any case.
 */
const bool *waiter_begin(struct waiter *w, struct layer *layer);
void waiter_end(struct waiter *w);
bool waiter_is_cancelled(const bool *flag);
/* Waits for @changed for 0.1 s at most, so that the caller can look at its flag. */
void waiter_pause(pthread_cond_t *changed, pthread_mutex_t *lock);

/* Ends this wait. It must not end by itself meanwhile. */
void waiter_cancel(struct waiter *w);
/* Gives up all waits, and those that begin before waiters_open(). */
void waiters_close(struct waiters *ws);
void waiters_open(struct waiters *ws);

#endif
