/* SPDX-License-Identifier: MIT */
/*
 * Work for one request that asks the network. It runs in a thread of its own, so that the
 * wait for it can be interrupted. After an interrupt the work goes on: its result is kept
 * for the next request.
 */
#ifndef FS_IMAGE_TASK_H
#define FS_IMAGE_TASK_H

#include <stdbool.h>

struct waiter;
struct workers;

struct task {
	/* The work; it returns the result of task_run(). */
	int (*run)(struct task *t);
	/* Frees the task, after the work and the wait. */
	void (*release)(struct task *t);

	/* Private: */
	struct workers *workers;
	bool is_done; /* under the lock of the workers */
	bool is_left; /* the same: the wait was interrupted */
	int result;
};

/*
 * Takes @t, whose first two fields are set. The result of its work, -EINTR, -EAGAIN
 * without a thread, -ECANCELED when the mount ends.
 */
int task_run(struct workers *ws, struct task *t, struct waiter *w);

#endif
