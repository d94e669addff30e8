/* SPDX-License-Identifier: MIT */
#include "fs/image/lazy.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "fs/image/waiters.h"

#define ABSENT (-1)
/* That long a failure is not tried again. */
#define FAILED_SECONDS 5
/* Whoever waits looks that often whether the wait was ended. */
#define LOOK_NS 100000000

uint32_t lazy_clock(void)
{
	return clock_seconds();
}

void lazy_set_init(struct lazy_set *hs)
{
	pthread_mutex_init(&hs->lock, NULL);
	pthread_cond_init(&hs->changed, NULL);
	hs->first = NULL;
	hs->n = 0;
}

void lazy_set_release(struct lazy_set *hs)
{
	pthread_cond_destroy(&hs->changed);
	pthread_mutex_destroy(&hs->lock);
}

void lazy_init(struct lazy *h)
{
	*h = (struct lazy){.pins = ABSENT};
}

bool lazy_pin(struct lazy *h)
{
	int pins = __atomic_load_n(&h->pins, __ATOMIC_RELAXED);
	uint32_t now;

	do {
		if (pins < 0)
			return false;
	} while (!__atomic_compare_exchange_n(&h->pins, &pins, pins + 1, true,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	now = lazy_clock();
	/* Written once a second at most: its cache line is everybody's. */
	if (__atomic_load_n(&h->used, __ATOMIC_RELAXED) != now)
		__atomic_store_n(&h->used, now, __ATOMIC_RELAXED);
	return true;
}

void lazy_unpin(struct lazy *h)
{
	__atomic_sub_fetch(&h->pins, 1, __ATOMIC_RELEASE);
}

void lazy_set_wait(struct lazy_set *hs)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&hs->changed, &hs->lock, &until);
}

/* Under the lock, which it gives up meanwhile. */
static int wait_for_other(struct lazy_set *hs, struct lazy *h, struct waiter *w)
{
	const bool *cancelled;
	int rc = 0;

	/* The lock of the waiters, and libfuse's, are never taken under this one. */
	pthread_mutex_unlock(&hs->lock);
	cancelled = waiter_begin(w, NULL);
	pthread_mutex_lock(&hs->lock);
	while (h->is_busy && rc == 0) {
		if (cancelled && __atomic_load_n(cancelled, __ATOMIC_SEQ_CST))
			rc = -EINTR;
		else
			lazy_set_wait(hs);
	}
	pthread_mutex_unlock(&hs->lock);
	waiter_end(w);
	pthread_mutex_lock(&hs->lock);
	return rc;
}

int lazy_need(struct lazy_set *hs, struct lazy *h, struct waiter *w)
{
	int rc = 1;

	if (lazy_pin(h))
		return 0;
	pthread_mutex_lock(&hs->lock);
	for (;;) {
		if (h->is_busy) {
			rc = wait_for_other(hs, h, w);
			if (rc < 0)
				break;
			continue;
		}
		if (lazy_pin(h)) {
			rc = 0;
		} else if (h->failed && lazy_clock() - h->failed_at < FAILED_SECONDS) {
			rc = h->failed;
		} else {
			h->is_busy = true;
			rc = 1;
		}
		break;
	}
	pthread_mutex_unlock(&hs->lock);
	return rc;
}

void lazy_made(struct lazy_set *hs, struct lazy *h, int result)
{
	pthread_mutex_lock(&hs->lock);
	h->is_busy = false;
	h->failed = result;
	h->failed_at = lazy_clock();
	if (result == 0) {
		h->next = hs->first;
		h->link = &hs->first;
		if (h->next)
			h->next->link = &h->next;
		hs->first = h;
		hs->n++;
		__atomic_store_n(&h->used, lazy_clock(), __ATOMIC_RELAXED);
		__atomic_store_n(&h->pins, 1, __ATOMIC_RELEASE);
	}
	pthread_cond_broadcast(&hs->changed);
	pthread_mutex_unlock(&hs->lock);
}

/* Under the lock: no pin is added from now on, if there was none. */
static bool take(struct lazy *h)
{
	int none = 0;

	return __atomic_compare_exchange_n(&h->pins, &none, ABSENT, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

struct lazy *lazy_set_take_unused(struct lazy_set *hs, uint32_t seconds, size_t max)
{
	uint32_t now = lazy_clock(), age, most = 0;
	struct lazy *h, *oldest = NULL;

	pthread_mutex_lock(&hs->lock);
	for (h = hs->first; h; h = h->next) {
		age = now - __atomic_load_n(&h->used, __ATOMIC_RELAXED);
		if ((int32_t)age < 0)
			age = 0; /* pinned since we looked at the clock */
		if (__atomic_load_n(&h->pins, __ATOMIC_RELAXED) == 0 &&
		    (!oldest || age >= most)) {
			most = age;
			oldest = h;
		}
	}
	if (oldest && (most >= seconds || hs->n > max) && take(oldest)) {
		*oldest->link = oldest->next;
		if (oldest->next)
			oldest->next->link = oldest->link;
		oldest->is_busy = true;
		hs->n--;
	} else {
		oldest = NULL;
	}
	pthread_mutex_unlock(&hs->lock);
	return oldest;
}

void lazy_gone(struct lazy_set *hs, struct lazy *h)
{
	pthread_mutex_lock(&hs->lock);
	h->is_busy = false;
	pthread_cond_broadcast(&hs->changed);
	pthread_mutex_unlock(&hs->lock);
}
