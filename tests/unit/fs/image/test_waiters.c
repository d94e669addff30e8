/* SPDX-License-Identifier: MIT */
#include "fs/image/waiters.h"

#include "base/clock.h"
#include "tests/unit/test.h"

static int n_watched; /* begun and not ended */

static void watch(struct waiter *w, bool on)
{
	(void)w;
	n_watched += on ? 1 : -1;
}

static struct waiter waiter_of(struct waiters *ws)
{
	return (struct waiter){.all = ws, .watch = watch};
}

static void check_one(void)
{
	struct waiters ws;
	struct waiter a, b;
	const bool *a_flag, *b_flag;

	waiters_init(&ws);
	a = waiter_of(&ws);
	b = waiter_of(&ws);
	a_flag = waiter_begin(&a, NULL);
	b_flag = waiter_begin(&b, NULL);
	is_int(n_watched, 2, "both can be interrupted");
	ok(!waiter_is_cancelled(a_flag) && !waiter_is_cancelled(b_flag), "both wait");
	waiter_cancel(&a);
	ok(waiter_is_cancelled(a_flag), "one is cancelled");
	ok(!waiter_is_cancelled(b_flag), "alone");
	waiter_end(&a);
	is_int(n_watched, 1, "an interrupt of an ended wait does not matter");
	a_flag = waiter_begin(&a, NULL);
	ok(!waiter_is_cancelled(a_flag), "the request may wait again");
	waiter_end(&b);
	waiter_end(&a);
	ok(!ws.first && n_watched == 0, "no wait is left");
	waiters_release(&ws);
}

static void check_close(void)
{
	struct waiters ws;
	struct waiter a, b;
	const bool *a_flag, *b_flag;

	waiters_init(&ws);
	a = waiter_of(&ws);
	b = waiter_of(&ws);
	a_flag = waiter_begin(&a, NULL);
	waiters_close(&ws);
	ok(waiter_is_cancelled(a_flag), "closing ends a wait");
	b_flag = waiter_begin(&b, NULL);
	ok(waiter_is_cancelled(b_flag), "and one that begins later");
	waiter_end(&b);
	waiters_open(&ws);
	b_flag = waiter_begin(&b, NULL);
	ok(!waiter_is_cancelled(b_flag) && !b.is_given_up, "until it is opened again");
	ok(waiter_is_cancelled(a_flag), "which changes nothing for what has ended");
	waiter_end(&b);
	waiter_end(&a);
	ok(!ws.first, "no wait is left");
	waiters_release(&ws);
}

static void check_nobody(void)
{
	const bool *flag = waiter_begin(NULL, NULL);

	ok(!flag && !waiter_is_cancelled(flag), "a wait that cannot be ended");
	waiter_end(NULL);
}

static void check_pause(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int64_t start = clock_ms();
	pthread_cond_t changed;

	clock_cond_init(&changed);
	pthread_mutex_lock(&lock);
	waiter_pause(&changed, &lock);
	pthread_mutex_unlock(&lock);
	ok(clock_ms() - start < 60000, "a pause ends by itself");
	pthread_cond_destroy(&changed);
}

int main(void)
{
	check_one();
	check_close();
	check_nobody();
	check_pause();
	return test_done();
}
