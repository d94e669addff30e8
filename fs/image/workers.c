/* SPDX-License-Identifier: MIT */
#include "fs/image/workers.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fs/image/waiters.h"

#define TIDY_MS 10000

struct job {
	struct workers *workers;
	void (*work)(void *arg);
	void *arg;
};

void workers_init(struct workers *ws)
{
	*ws = (struct workers){.n = 0};
	pthread_mutex_init(&ws->lock, NULL);
	clock_cond_init(&ws->changed);
}

void workers_release(struct workers *ws)
{
	pthread_cond_destroy(&ws->changed);
	pthread_mutex_destroy(&ws->lock);
}

/* TIDYING */

void workers_set_tidy(struct workers *ws, void (*tidy)(void *arg), void *arg)
{
	ws->tidy = tidy;
	ws->tidy_arg = arg;
}

void workers_tidy_soon(struct workers *ws)
{
	pthread_mutex_lock(&ws->lock);
	ws->is_untidy = true;
	pthread_cond_broadcast(&ws->changed);
	pthread_mutex_unlock(&ws->lock);
}

static void *workers_keep_tidy(void *arg)
{
	struct workers *ws = arg;
	int64_t until;

	pthread_mutex_lock(&ws->lock);
	while (!ws->is_closing) {
		until = clock_ms() + TIDY_MS;
		while (!ws->is_closing && !ws->is_untidy &&
		       clock_cond_wait(&ws->changed, &ws->lock, until))
			;
		ws->is_untidy = false;
		pthread_mutex_unlock(&ws->lock);
		ws->tidy(ws->tidy_arg);
		pthread_mutex_lock(&ws->lock);
	}
	pthread_mutex_unlock(&ws->lock);
	return NULL;
}

/* Under the lock. If there can be no such thread, idle objects just stay. */
static void start_tidier(struct workers *ws)
{
	if (ws->tidy && !ws->has_tidier)
		ws->has_tidier = pthread_create(&ws->tidier, NULL, workers_keep_tidy,
						ws) == 0;
}

/* WORK */

static void end_job(struct workers *ws)
{
	pthread_mutex_lock(&ws->lock);
	ws->n--;
	pthread_cond_broadcast(&ws->changed);
	pthread_mutex_unlock(&ws->lock);
}

static void *workers_run(void *arg)
{
	struct job job = *(struct job *)arg;

	free(arg);
	job.work(job.arg);
	end_job(job.workers);
	return NULL;
}

int workers_start(struct workers *ws, void (*work)(void *arg), void *arg)
{
	struct job *job = malloc(sizeof(*job));
	pthread_t thread;
	bool is_closing;
	int rc;

	if (!job)
		return -ENOMEM;
	*job = (struct job){ws, work, arg};
	pthread_mutex_lock(&ws->lock);
	is_closing = ws->is_closing;
	if (!is_closing) {
		ws->n++;
		start_tidier(ws);
	}
	pthread_mutex_unlock(&ws->lock);
	if (is_closing) {
		free(job);
		return -ECANCELED;
	}
	rc = pthread_create(&thread, NULL, workers_run, job);
	if (rc == 0) {
		pthread_detach(thread);
	} else {
		free(job);
		end_job(ws);
	}
	return -rc;
}

void workers_close(struct workers *ws)
{
	pthread_mutex_lock(&ws->lock);
	ws->is_closing = true;
	pthread_cond_broadcast(&ws->changed);
	pthread_mutex_unlock(&ws->lock);
	if (ws->has_tidier)
		pthread_join(ws->tidier, NULL);
	pthread_mutex_lock(&ws->lock);
	while (ws->n > 0)
		pthread_cond_wait(&ws->changed, &ws->lock);
	pthread_mutex_unlock(&ws->lock);
}

/* TASKS */

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
		free(t);
}

int task_run(struct workers *ws, struct task *t, struct waiter *w)
{
	const bool *cancelled;
	bool is_done;
	int rc;

	t->workers = ws;
	/* An impatient caller comes back, and the task would run twice. */
	if (w && w->is_impatient) {
		free(t);
		return -EINTR;
	}
	rc = workers_start(ws, task_work, t);
	if (rc < 0) {
		free(t);
		return rc;
	}
	cancelled = waiter_begin(w, NULL);
	pthread_mutex_lock(&ws->lock);
	while (!t->is_done && !waiter_is_cancelled(cancelled) &&
	       (!t->until || clock_ms() < t->until))
		waiter_pause(&ws->changed, &ws->lock);
	is_done = t->is_done;
	t->is_left = !is_done;
	pthread_mutex_unlock(&ws->lock);
	waiter_end(w);
	if (!is_done)
		return -EINTR;
	rc = t->result;
	free(t);
	return rc;
}
