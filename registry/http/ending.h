/* SPDX-License-Identifier: MIT */
/* A moment after which nobody waits any more. Any thread may call any function. */
#ifndef REGISTRY_HTTP_ENDING_H
#define REGISTRY_HTTP_ENDING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct ending {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_over; /* atomic */
};

void ending_init(struct ending *d);
void ending_release(struct ending *d);

/* It is over from now on, and all that sleep wake up. */
void ending_begin(struct ending *d);
bool ending_is_over(const struct ending *d);
/* Sleeps for @ms. False, at once, if it is over. */
bool ending_sleep(struct ending *d, int64_t ms);

#endif
