/* SPDX-License-Identifier: MIT */
/*
 * The clocks. Deadlines and durations are on the monotonic clock, which no one can set;
 * the real-time clock gives the times that people see.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Monotonic, from an unspecified start. */
int64_t clock_ns(void);
int64_t clock_ms(void);
/* Up to 4 ms late, but it costs a few memory accesses: for what each read of a file does. */
uint32_t clock_seconds(void);

/* Time since the epoch. */
struct timespec clock_realtime(void);

/* A condition for clock_cond_wait(), to be destroyed with pthread_cond_destroy(). */
void clock_cond_init(pthread_cond_t *cond);
/*
 * pthread_cond_timedwait() until the monotonic time @until_ms. False once that is reached.
 * As always with conditions, true does not mean that anything has changed.
 */
bool clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms);

#endif
