/* SPDX-License-Identifier: MIT */
#include "fs/image/task.h"

#include <errno.h>

#include "fs/image/waiters.h"
#include "fs/image/workers.h"

static void task_work(void *arg)
{
	struct task *t = arg;
	struct workers *ws = t->workers;
	int rc = t->run(t);
	bool is_left;

	pthread_mutex_lock(&ws->lock);
	t->result = rc;
	t->is_done = true;
	is_left = t->is_left;
	pthread_cond_broadcast(&ws->changed);
	pthread_mutex_unlock(&ws->lock);
	if (is_left)
		t->release(t);
}

int task_run(struct workers *ws, struct task *t, struct waiter *w)
{
	const bool *cancelled;
	bool is_done;
	int rc;

	t->workers = ws;
	/* An impatient caller comes back, and the task would run twice. */
	if (w && w->is_impatient) {
		t->release(t);
		return -EINTR;
	}
	rc = workers_start(ws, task_work, t);
	if (rc < 0) {
		t->release(t);
		return rc;
	}
	cancelled = waiter_begin(w, NULL);
	pthread_mutex_lock(&ws->lock);
	while (!t->is_done && !waiter_is_cancelled(cancelled))
		waiter_pause(&ws->changed, &ws->lock);
	is_done = t->is_done;
	t->is_left = !is_done;
	pthread_mutex_unlock(&ws->lock);
	waiter_end(w);
	if (!is_done)
		return -EINTR;
	rc = t->result;
	t->release(t);
	return rc;
}
