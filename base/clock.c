/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <errno.h>

static struct timespec clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts;
}

int64_t clock_ns(void)
{
	struct timespec ts = clock_read(CLOCK_MONOTONIC);

	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

uint32_t clock_seconds(void)
{
	return (uint32_t)clock_read(CLOCK_MONOTONIC_COARSE).tv_sec;
}

struct timespec clock_realtime(void)
{
	return clock_read(CLOCK_REALTIME);
}

void clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

bool clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms)
{
	struct timespec ts = {.tv_sec = until_ms / 1000,
			      .tv_nsec = until_ms % 1000 * 1000000};

	return pthread_cond_timedwait(cond, lock, &ts) != ETIMEDOUT;
}
