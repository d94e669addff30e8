/* SPDX-License-Identifier: MIT */
/*
 * Threads that load something for a mount or ask the network for one request, and one that
 * frees what is idle. Closing waits for all of them. Any thread.
 */
#ifndef FS_IMAGE_WORKERS_H
#define FS_IMAGE_WORKERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct waiter;

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* any of the following, or the state of a task */
	unsigned n;		/* under lock: running */
	bool is_closing;	/* under lock */
	void (*tidy)(void *arg);
	void *tidy_arg;
	bool is_untidy; /* under lock */
	bool has_tidier;
	pthread_t tidier;
};

void workers_init(struct workers *ws);
/* After workers_close(), or if no thread was started. */
void workers_release(struct workers *ws);

/*
 * From the first workers_start() on, a thread calls @tidy every ten seconds and soon after
 * workers_tidy_soon(). Call it before the first workers_start().
 */
void workers_set_tidy(struct workers *ws, void (*tidy)(void *arg), void *arg);
void workers_tidy_soon(struct workers *ws);

/* Calls @work in a new thread. 0, -ECANCELED after workers_close(), -ENOMEM, -EAGAIN. */
int workers_start(struct workers *ws, void (*work)(void *arg), void *arg);
/* Waits for all threads; no more can be started. */
void workers_close(struct workers *ws);

/* What a thread does for one request. The first member of a struct from malloc(). */
struct task {
	int (*run)(struct task *t);
	int64_t until; /* clock_ms() when the wait ends, too, or 0 */

	/* Private: */
	struct workers *workers;
	bool is_done; /* under the lock of the workers */
	bool is_left; /* the same: the wait was interrupted */
	int result;
};

/*
 * Runs @t, which it takes, in a thread of its own, so that the wait can be ended: the result
 * of t->run(), -EINTR, -ENOMEM or -EAGAIN without a thread, -ECANCELED when the mount ends.
 * After an interrupt the work goes on: what it learns serves the next request.
 */
int task_run(struct workers *ws, struct task *t, struct waiter *w);

#endif
