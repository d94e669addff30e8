/* SPDX-License-Identifier: MIT */
/*
 * Transfers that wait until their host has room for one more: small ones go first, then
 * bulk ones, then spare ones; those of one kind in the order of arrival.
 */
#ifndef REGISTRY_HTTP_QUEUE_H
#define REGISTRY_HTTP_QUEUE_H

#include <pthread.h>

#include "registry/http/internal.h"

struct host;

struct queue {
	pthread_mutex_t lock;
	struct transfer *first; /* under the lock; in the order of arrival */
	struct host *hosts;	/* under the lock; freed with the queue: there are few */
	unsigned connections;	/* to one host */
};

void queue_init(struct queue *q, unsigned connections);
/* The queue must be empty. */
void queue_release(struct queue *q);

/* Gives @t its host, by its origin. 0 or -ENOMEM. Any thread. */
int queue_add(struct queue *q, struct transfer *t);
/* Somebody waits for @t now: a spare transfer becomes a bulk one. Any thread. */
void queue_move_up(struct queue *q, struct transfer *t);
/*
 * Takes the first transfer of this kind that may start, or that was closed in the
 * meantime, from the queue; NULL if there is none. For the transfer thread.
 */
struct transfer *queue_take(struct queue *q, enum turn turn);

#endif
