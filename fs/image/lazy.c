/* SPDX-License-Identifier: MIT */
#include "fs/image/lazy.h"

#include <errno.h>
#include <time.h>

#include "fs/image/waiters.h"

#define ABSENT (-1)
/* That long a failure is not tried again. */
#define FAILED_SECONDS 5
/* Whoever waits looks that often whether the wait was ended. */
#define LOOK_NS 100000000

uint32_t hold_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

void holds_init(struct holds *hs)
{
	pthread_mutex_init(&hs->lock, NULL);
	pthread_cond_init(&hs->changed, NULL);
	hs->first = NULL;
	hs->n = 0;
}

void holds_release(struct holds *hs)
{
	pthread_cond_destroy(&hs->changed);
	pthread_mutex_destroy(&hs->lock);
}

void hold_init(struct hold *h)
{
	*h = (struct hold){.pins = ABSENT};
}

bool hold_pin(struct hold *h)
{
	int pins = __atomic_load_n(&h->pins, __ATOMIC_RELAXED);
	uint32_t now;

	do {
		if (pins < 0)
			return false;
	} while (!__atomic_compare_exchange_n(&h->pins, &pins, pins + 1, true,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	now = hold_clock();
	/* Written once a second at most: its cache line is everybody's. */
	if (__atomic_load_n(&h->used, __ATOMIC_RELAXED) != now)
		__atomic_store_n(&h->used, now, __ATOMIC_RELAXED);
	return true;
}

void hold_unpin(struct hold *h)
{
	__atomic_sub_fetch(&h->pins, 1, __ATOMIC_RELEASE);
}

void holds_wait(struct holds *hs)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&hs->changed, &hs->lock, &until);
}

/* Under the lock, which it gives up meanwhile. */
static int wait_for_other(struct holds *hs, struct hold *h, struct waiter *w)
{
	const bool *cancelled;
	int r = 0;

	/* The lock of the waiters, and libfuse's, are never taken under this one. */
	pthread_mutex_unlock(&hs->lock);
	cancelled = waiter_begin(w, NULL);
	pthread_mutex_lock(&hs->lock);
	while (h->is_busy && r == 0) {
		if (cancelled && __atomic_load_n(cancelled, __ATOMIC_SEQ_CST))
			r = -EINTR;
		else
			holds_wait(hs);
	}
	pthread_mutex_unlock(&hs->lock);
	waiter_end(w);
	pthread_mutex_lock(&hs->lock);
	return r;
}

int hold_need(struct holds *hs, struct hold *h, struct waiter *w)
{
	int r = 1;

	if (hold_pin(h))
		return 0;
	pthread_mutex_lock(&hs->lock);
	for (;;) {
		if (h->is_busy) {
			r = wait_for_other(hs, h, w);
			if (r < 0)
				break;
			continue;
		}
		if (hold_pin(h)) {
			r = 0;
		} else if (h->failed && hold_clock() - h->failed_at < FAILED_SECONDS) {
			r = h->failed;
		} else {
			h->is_busy = true;
			r = 1;
		}
		break;
	}
	pthread_mutex_unlock(&hs->lock);
	return r;
}

void hold_made(struct holds *hs, struct hold *h, int result)
{
	pthread_mutex_lock(&hs->lock);
	h->is_busy = false;
	h->failed = result;
	h->failed_at = hold_clock();
	if (result == 0) {
		h->next = hs->first;
		h->link = &hs->first;
		if (h->next)
			h->next->link = &h->next;
		hs->first = h;
		hs->n++;
		__atomic_store_n(&h->used, hold_clock(), __ATOMIC_RELAXED);
		__atomic_store_n(&h->pins, 1, __ATOMIC_RELEASE);
	}
	pthread_cond_broadcast(&hs->changed);
	pthread_mutex_unlock(&hs->lock);
}

/* Under the lock: no pin is added from now on, if there was none. */
static bool take(struct hold *h)
{
	int none = 0;

	return __atomic_compare_exchange_n(&h->pins, &none, ABSENT, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

struct hold *holds_take_unused(struct holds *hs, uint32_t seconds, size_t max)
{
	uint32_t now = hold_clock(), age, most = 0;
	struct hold *h, *oldest = NULL;

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

void hold_gone(struct holds *hs, struct hold *h)
{
	pthread_mutex_lock(&hs->lock);
	h->is_busy = false;
	pthread_cond_broadcast(&hs->changed);
	pthread_mutex_unlock(&hs->lock);
}
