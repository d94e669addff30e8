/* SPDX-License-Identifier: MIT */
#include "fs/fuse/deferred.h"

#include <errno.h>
#include <stddef.h>

#include "base/clock.h"

#define THREADS_MAX 2048
/* A thread without work ends after this time. */
#define IDLE_MS 2000
/* No answer needs more than a few buffers of 8 KiB. Images load in threads of their own. */
#define STACK_SIZE (256u * 1024)

void deferred_init(struct deferred_queue *q)
{
	pthread_mutex_init(&q->lock, NULL);
	clock_cond_init(&q->changed);
	q->first = NULL;
	q->end = &q->first;
	q->n_threads = q->n_free = q->n_queued = 0;
	q->max_threads = THREADS_MAX;
	q->is_closed = false;
}

void deferred_release(struct deferred_queue *q)
{
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
}

/* The next request; NULL if none comes for IDLE_MS, or the queue is closed. Under the lock. */
static struct deferred *take_next(struct deferred_queue *q)
{
	int64_t until = clock_ms() + IDLE_MS;
	struct deferred *d;

	while (!q->first && !q->is_closed &&
	       clock_cond_wait(&q->changed, &q->lock, until))
		;
	d = q->first;
	if (!d)
		return NULL;
	q->first = d->next;
	if (!q->first)
		q->end = &q->first;
	q->n_queued--;
	return d;
}

static void *run_deferred(void *arg)
{
	struct deferred_queue *q = arg;
	struct deferred *d;

	pthread_mutex_lock(&q->lock);
	while ((d = take_next(q))) {
		q->n_free--;
		pthread_mutex_unlock(&q->lock);
		d->work(d);
		pthread_mutex_lock(&q->lock);
		q->n_free++;
	}
	q->n_free--;
	q->n_threads--;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

static int start_thread(struct deferred_queue *q)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = -pthread_create(&thread, &attr, run_deferred, q);
	pthread_attr_destroy(&attr);
	if (rc == 0) {
		q->n_threads++;
		q->n_free++;
	}
	return rc;
}

int deferred_add(struct deferred_queue *q, struct deferred *d)
{
	int rc = 0;

	pthread_mutex_lock(&q->lock);
	if (d->is_cancelled) {
		pthread_mutex_unlock(&q->lock);
		return -EINTR;
	}
	d->next = NULL;
	if (q->n_free <= q->n_queued && q->n_threads < q->max_threads)
		rc = start_thread(q);
	/* Without a new thread the request waits for one of the others. */
	if (q->n_threads > 0) {
		*q->end = d;
		q->end = &d->next;
		q->n_queued++;
		rc = 0;
		pthread_cond_signal(&q->changed);
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}

bool deferred_cancel(struct deferred_queue *q, struct deferred *d)
{
	struct deferred **link;
	bool is_queued;

	pthread_mutex_lock(&q->lock);
	d->is_cancelled = true;
	for (link = &q->first; *link && *link != d; link = &(*link)->next)
		;
	is_queued = *link == d;
	if (is_queued) {
		*link = d->next;
		if (!*link)
			q->end = link;
		q->n_queued--;
	}
	pthread_mutex_unlock(&q->lock);
	return is_queued;
}

void deferred_close(struct deferred_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->is_closed = true;
	pthread_cond_broadcast(&q->changed);
	while (q->n_threads > 0)
		pthread_cond_wait(&q->changed, &q->lock);
	pthread_mutex_unlock(&q->lock);
}
