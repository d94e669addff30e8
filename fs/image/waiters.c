/* SPDX-License-Identifier: MIT */
#include "fs/image/waiters.h"

#include <stddef.h>

#include "base/clock.h"
#include "tar/layer.h"

#define PAUSE_MS 100

void waiters_init(struct waiters *ws)
{
	pthread_mutex_init(&ws->lock, NULL);
	ws->first = NULL;
	ws->closed = false;
}

void waiters_release(struct waiters *ws)
{
	pthread_mutex_destroy(&ws->lock);
}

const bool *waiter_begin(struct waiter *w, struct layer *layer)
{
	static const bool yes = true;
	struct waiters *ws;

	if (!w)
		return NULL;
	if (w->is_impatient)
		return &yes;
	ws = w->all;
	w->layer = layer;
	pthread_mutex_lock(&ws->lock);
	w->cancelled = w->is_given_up = ws->closed;
	w->next = ws->first;
	w->link = &ws->first;
	if (w->next)
		w->next->link = &w->next;
	ws->first = w;
	pthread_mutex_unlock(&ws->lock);
	w->watch(w, true);
	return &w->cancelled;
}

void waiter_end(struct waiter *w)
{
	struct waiters *ws;

	if (!w || w->is_impatient)
		return;
	ws = w->all;
	w->watch(w, false);
	pthread_mutex_lock(&ws->lock);
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	pthread_mutex_unlock(&ws->lock);
}

bool waiter_is_cancelled(const bool *flag)
{
	return flag && __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

void waiter_pause(pthread_cond_t *changed, pthread_mutex_t *lock)
{
	clock_cond_wait(changed, lock, clock_ms() + PAUSE_MS);
}

void waiter_cancel(struct waiter *w)
{
	__atomic_store_n(&w->cancelled, true, __ATOMIC_SEQ_CST);
	if (w->layer)
		layer_wake(w->layer);
}

void waiters_close(struct waiters *ws)
{
	struct waiter *w;

	pthread_mutex_lock(&ws->lock);
	ws->closed = true;
	for (w = ws->first; w; w = w->next) {
		w->is_given_up = true;
		waiter_cancel(w);
	}
	pthread_mutex_unlock(&ws->lock);
}

void waiters_open(struct waiters *ws)
{
	pthread_mutex_lock(&ws->lock);
	ws->closed = false;
	pthread_mutex_unlock(&ws->lock);
}
