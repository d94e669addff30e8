/* SPDX-License-Identifier: MIT */
#include "tar/successor.h"

#include <errno.h>

void successor_init(struct successor *s)
{
	*s = (struct successor){.is_busy = false};
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
}

void successor_release(struct successor *s)
{
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
}

struct layer *successor_get(const struct successor *s)
{
	return __atomic_load_n(&s->layer, __ATOMIC_ACQUIRE);
}

static bool is_set(const bool *cancelled)
{
	return cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED);
}

/* With the lock, which it gives up meanwhile. */
static int make_it(struct successor *s, successor_make_fn *make, void *arg,
		   const bool *cancelled, struct err *e)
{
	struct layer *layer = NULL;
	int rc;

	s->is_busy = true;
	pthread_mutex_unlock(&s->lock);
	rc = make(arg, cancelled, &layer, e);
	pthread_mutex_lock(&s->lock);
	s->is_busy = false;
	if (rc == 0)
		__atomic_store_n(&s->layer, layer, __ATOMIC_RELEASE);
	s->rc = rc == -EBADMSG ? rc : 0;
	if (rc == -EBADMSG && e)
		s->why = *e;
	pthread_cond_broadcast(&s->changed);
	return rc;
}

int successor_need(struct successor *s, successor_make_fn *make, void *arg,
		   const bool *cancelled, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	while (s->is_busy && !is_set(cancelled))
		pthread_cond_wait(&s->changed, &s->lock);
	if (s->is_busy)
		rc = err_set(e, -EINTR, "interrupted");
	else if (s->rc < 0)
		rc = err_set(e, s->rc, "%s", s->why.text);
	else if (!s->layer)
		rc = make_it(s, make, arg, cancelled, e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void successor_wake(struct successor *s)
{
	pthread_mutex_lock(&s->lock);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}
