/* SPDX-License-Identifier: MIT */
#include "fs/image/lazy.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "fs/image/waiters.h"
#include "fs/image/workers.h"

#define ABSENT (-1)
/* For so long a failure is not tried again. */
#define FAILED_SECONDS 5

void lazy_set_init(struct lazy_set *set)
{
	pthread_mutex_init(&set->lock, NULL);
	clock_cond_init(&set->changed);
	set->first = NULL;
	set->n = 0;
}

void lazy_set_release(struct lazy_set *set)
{
	pthread_cond_destroy(&set->changed);
	pthread_mutex_destroy(&set->lock);
}

void lazy_init(struct lazy *l)
{
	*l = (struct lazy){.pins = ABSENT};
}

void lazy_release(struct lazy *l)
{
	free(l->why);
	l->why = NULL;
}

bool lazy_pin(struct lazy *l)
{
	int pins = __atomic_load_n(&l->pins, __ATOMIC_RELAXED);
	uint32_t now;

	do {
		if (pins < 0)
			return false;
	} while (!__atomic_compare_exchange_n(&l->pins, &pins, pins + 1, true,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	now = clock_seconds();
	/* Written once a second at most: all threads share its cache line. */
	if (__atomic_load_n(&l->used, __ATOMIC_RELAXED) != now)
		__atomic_store_n(&l->used, now, __ATOMIC_RELAXED);
	return true;
}

void lazy_unpin(struct lazy *l)
{
	__atomic_sub_fetch(&l->pins, 1, __ATOMIC_RELEASE);
}

/* Waits for the thread that makes the object. Under the lock, which it drops meanwhile. */
static int lazy_wait(struct lazy_set *set, struct lazy *l, struct waiter *w)
{
	const bool *cancelled;
	int rc = 0;

	/* The locks of the waiters and of libfuse are never taken under this one. */
	pthread_mutex_unlock(&set->lock);
	cancelled = waiter_begin(w, NULL);
	pthread_mutex_lock(&set->lock);
	while (l->is_busy && rc == 0) {
		if (waiter_is_cancelled(cancelled))
			rc = -EINTR;
		else
			waiter_pause(&set->changed, &set->lock);
	}
	pthread_mutex_unlock(&set->lock);
	waiter_end(w);
	pthread_mutex_lock(&set->lock);
	return rc;
}

int lazy_need(struct lazy_set *set, struct lazy *l, struct waiter *w)
{
	int rc = 1;

	if (lazy_pin(l))
		return 0;
	pthread_mutex_lock(&set->lock);
	for (;;) {
		if (l->is_busy) {
			rc = lazy_wait(set, l, w);
			if (rc < 0)
				break;
			continue;
		}
		if (lazy_pin(l)) {
			rc = 0;
		} else if (l->failed && clock_seconds() - l->failed_at < FAILED_SECONDS) {
			rc = l->failed;
		} else {
			l->is_busy = true;
			rc = 1;
		}
		break;
	}
	pthread_mutex_unlock(&set->lock);
	return rc;
}

void lazy_made(struct lazy_set *set, struct lazy *l, int result)
{
	pthread_mutex_lock(&set->lock);
	l->is_busy = false;
	l->failed = result;
	l->failed_at = clock_seconds();
	if (result == 0) {
		l->next = set->first;
		l->link = &set->first;
		if (l->next)
			l->next->link = &l->next;
		set->first = l;
		set->n++;
		__atomic_store_n(&l->used, clock_seconds(), __ATOMIC_RELAXED);
		__atomic_store_n(&l->pins, 1, __ATOMIC_RELEASE);
	}
	pthread_cond_broadcast(&set->changed);
	pthread_mutex_unlock(&set->lock);
}

void lazy_note(struct lazy_set *set, struct lazy *l, const struct err *e)
{
	pthread_mutex_lock(&set->lock);
	if (!l->why)
		l->why = malloc(sizeof(*l->why));
	if (l->why)
		*l->why = *e;
	pthread_mutex_unlock(&set->lock);
}

int lazy_recall(struct lazy_set *set, struct lazy *l, int code, struct err *e)
{
	pthread_mutex_lock(&set->lock);
	err_set(e, code, "%s",
		l->why ? l->why->text : "the last try failed a moment ago");
	pthread_mutex_unlock(&set->lock);
	return code;
}

bool lazy_is_busy(struct lazy_set *set, const struct lazy *l)
{
	bool is;

	pthread_mutex_lock(&set->lock);
	is = l->is_busy;
	pthread_mutex_unlock(&set->lock);
	return is;
}

int lazy_await(struct lazy_set *set, struct lazy *l, struct workers *ws,
	       void (*make)(void *arg), void *arg, struct waiter *w)
{
	int rc;

	while ((rc = lazy_need(set, l, w)) == 1) {
		rc = workers_start(ws, make, arg);
		if (rc < 0)
			lazy_made(set, l, rc);
	}
	return rc;
}

void lazy_made_unpinned(struct lazy_set *set, struct lazy *l, int result)
{
	lazy_made(set, l, result);
	if (result == 0)
		lazy_unpin(l);
}

/* Under the lock: unless it is pinned, it cannot be pinned from now on. */
static bool lazy_take(struct lazy *l)
{
	int none = 0;

	return __atomic_compare_exchange_n(&l->pins, &none, ABSENT, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Under the lock. */
static void unlink_present(struct lazy_set *set, struct lazy *l)
{
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	set->n--;
}

struct lazy *lazy_set_take_unused(struct lazy_set *set, uint32_t seconds, size_t max)
{
	uint32_t now = clock_seconds(), age, most = 0;
	struct lazy *l, *oldest = NULL;

	pthread_mutex_lock(&set->lock);
	for (l = set->first; l; l = l->next) {
		age = now - __atomic_load_n(&l->used, __ATOMIC_RELAXED);
		if ((int32_t)age < 0)
			age = 0; /* pinned after the clock was read */
		if (__atomic_load_n(&l->pins, __ATOMIC_RELAXED) == 0 &&
		    (!oldest || age >= most)) {
			most = age;
			oldest = l;
		}
	}
	if (oldest && (most >= seconds || set->n > max) && lazy_take(oldest)) {
		unlink_present(set, oldest);
		oldest->is_busy = true;
	} else {
		oldest = NULL;
	}
	pthread_mutex_unlock(&set->lock);
	return oldest;
}

size_t lazy_set_count(struct lazy_set *set)
{
	size_t n;

	pthread_mutex_lock(&set->lock);
	n = set->n;
	pthread_mutex_unlock(&set->lock);
	return n;
}

void lazy_gone(struct lazy_set *set, struct lazy *l)
{
	pthread_mutex_lock(&set->lock);
	l->is_busy = false;
	pthread_cond_broadcast(&set->changed);
	pthread_mutex_unlock(&set->lock);
}

void lazy_forget(struct lazy_set *set, struct lazy *l)
{
	pthread_mutex_lock(&set->lock);
	if (lazy_take(l))
		unlink_present(set, l);
	pthread_mutex_unlock(&set->lock);
	lazy_release(l);
	lazy_init(l);
}
