/* SPDX-License-Identifier: MIT */
#include "fs/image/task.h"

#include <errno.h>

#include "fs/image/context.h"

static void *work(void *arg)
{
	struct task *t = arg;
	struct mount *m = t->mount;
	struct lazy_set *hs = &m->images.set;
	int rc = t->run(t);
	bool is_left;

	pthread_mutex_lock(&hs->lock);
	t->result = rc;
	t->is_done = true;
	is_left = t->is_left;
	pthread_cond_broadcast(&hs->changed);
	pthread_mutex_unlock(&hs->lock);
	if (is_left)
		t->release(t);
	images_thread_ends(m);
	return NULL;
}

int task_run(struct mount *m, struct task *t, struct waiter *w)
{
	struct lazy_set *hs = &m->images.set;
	const bool *cancelled;
	bool is_done;
	int rc;

	t->mount = m;
	rc = images_thread(m, work, t);
	if (rc < 0) {
		t->release(t);
		return rc;
	}
	cancelled = waiter_begin(w, NULL);
	pthread_mutex_lock(&hs->lock);
	while (!t->is_done &&
	       !(cancelled && __atomic_load_n(cancelled, __ATOMIC_SEQ_CST)))
		lazy_set_wait(hs);
	is_done = t->is_done;
	t->is_left = !is_done;
	pthread_mutex_unlock(&hs->lock);
	waiter_end(w);
	if (!is_done)
		return -EINTR;
	rc = t->result;
	t->release(t);
	return rc;
}
