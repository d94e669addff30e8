/* SPDX-License-Identifier: MIT */
#include "fs/fuse/deferred.h"

#include <stddef.h>

#include "base/clock.h"

/* Further requests wait in the queue, in their order. */
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
	d->next = NULL;
	if (q->n_free <= q->n_queued && q->n_threads < THREADS_MAX)
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

void deferred_close(struct deferred_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->is_closed = true;
	pthread_cond_broadcast(&q->changed);
	while (q->n_threads > 0)
		pthread_cond_wait(&q->changed, &q->lock);
	pthread_mutex_unlock(&q->lock);
}
