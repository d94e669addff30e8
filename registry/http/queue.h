/* SPDX-License-Identifier: MIT */
/*
 * Transfers that wait until their host has room for one more: small ones first, then bulk
 * ones, which leave two places to the others, then spare ones. For http.c and transfer.c.
 */
#ifndef REGISTRY_HTTP_QUEUE_H
#define REGISTRY_HTTP_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct transfer;

/* A host that transfers run to. Never freed before the queue: there are few. */
struct host {
	struct host *next;
	/* transfers under way, and how many of them are bulk; the transfer thread's */
	unsigned running, bulk;
	int64_t alive; /* when somebody last got bytes or all of an answer; atomic */
	char origin[];
};

struct queue {
	pthread_mutex_t lock;
	struct transfer *first; /* under the lock; in the order of arrival */
	struct host *hosts;	/* under the lock */
	unsigned connections;	/* a host */
	unsigned spares;	/* transfers that there are, queued or not; atomic */
};

/* Who goes first when a host has room for one more. */
enum turn { TURN_SMALL, TURN_BULK, TURN_SPARE };

void queue_init(struct queue *q, unsigned connections);
/* It is empty. */
void queue_release(struct queue *q);

/* @t has its origin, and gets its host. 0 or -ENOMEM. Any thread. */
int queue_add(struct queue *q, struct transfer *t);
/* Someone waits for it now: no longer behind all others. Any thread. */
void queue_move_up(struct queue *q, struct transfer *t);
/* The first of this turn that may start, or that was closed meanwhile; no longer queued. */
struct transfer *queue_take(struct queue *q, enum turn turn);

/* One that was taken begins and ends. */
void host_enter(struct host *host, bool bulk);
void host_leave(struct host *host, bool bulk);
/* It serves somebody, now. */
void host_note_alive(struct host *host);
/* When it last did. Any thread. */
int64_t host_alive(const struct host *host);

#endif
