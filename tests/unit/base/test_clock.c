/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include "tests/unit/test.h"

static void test_clocks(void)
{
	int64_t ns = clock_ns(), ms = clock_ms();

	ok(clock_ns() >= ns && clock_ms() >= ms, "no clock goes back");
	ok(ms - ns / 1000000 >= 0 && ms - ns / 1000000 < 10000, "both are one clock");
	ok(ms / 1000 - (int64_t)clock_seconds() <= 1, "and so are the seconds");
	ok(clock_realtime().tv_sec - time(NULL) <= 0, "the real time is time()'s");
}

static void test_wait(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int64_t start = clock_ms();
	pthread_cond_t cond;

	clock_cond_init(&cond);
	pthread_mutex_lock(&lock);
	while (clock_cond_wait(&cond, &lock, start + 30))
		;
	ok(clock_ms() >= start + 30, "a wait ends no earlier than its deadline");
	ok(!clock_cond_wait(&cond, &lock, start),
	   "a deadline in the past is over at once");
	pthread_mutex_unlock(&lock);
	pthread_cond_destroy(&cond);
}

int main(void)
{
	test_clocks();
	test_wait();
	return test_done();
}
