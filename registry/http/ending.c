/* SPDX-License-Identifier: MIT */
#include "registry/http/ending.h"

#include "base/clock.h"

void ending_init(struct ending *d)
{
	d->is_over = false;
	pthread_mutex_init(&d->lock, NULL);
	clock_cond_init(&d->changed);
}

void ending_release(struct ending *d)
{
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
}

void ending_begin(struct ending *d)
{
	pthread_mutex_lock(&d->lock);
	__atomic_store_n(&d->is_over, true, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

bool ending_is_over(const struct ending *d)
{
	return __atomic_load_n(&d->is_over, __ATOMIC_SEQ_CST);
}

bool ending_sleep(struct ending *d, int64_t ms)
{
	int64_t until = clock_ms() + ms;

	pthread_mutex_lock(&d->lock);
	while (!d->is_over && clock_cond_wait(&d->changed, &d->lock, until))
		;
	pthread_mutex_unlock(&d->lock);
	return !ending_is_over(d);
}
