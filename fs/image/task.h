/* SPDX-License-Identifier: MIT */
/*
 * Work that asks the network for one request, in a thread of its own: so that whoever
 * waits for it can be interrupted, and the work goes on for the sake of the next.
 */
#ifndef FS_IMAGE_TASK_H
#define FS_IMAGE_TASK_H

#include <stdbool.h>

struct mount;
struct waiter;

struct task {
	/* The work; its result is task_run()'s. */
	int (*run)(struct task *t);
	/* Frees the task: after the work and the wait, whichever ends last. */
	void (*release)(struct task *t);

	struct mount *mount; /* set by task_run() */
	/* task.c's: */
	bool is_done; /* under the lock of the images' holds */
	bool is_left;
	int result;
};

/*
 * Takes @t, whose first two fields are set. The result of its work, -EINTR, -EAGAIN if no
 * thread can be had, -ECANCELED when the mount ends.
 */
int task_run(struct mount *m, struct task *t, struct waiter *w);

#endif
