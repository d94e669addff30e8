/* SPDX-License-Identifier: MIT */
#include "registry/http/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/http/host.h"
#include "registry/http/transfer.h"

void queue_init(struct queue *q, unsigned connections)
{
	*q = (struct queue){.connections = connections};
	pthread_mutex_init(&q->lock, NULL);
}

void queue_release(struct queue *q)
{
	struct host *host;

	while ((host = q->hosts)) {
		q->hosts = host->next;
		free(host);
	}
	pthread_mutex_destroy(&q->lock);
}

/* With the lock held. */
static struct host *queue_host(struct queue *q, const char *origin)
{
	struct host *host;

	for (host = q->hosts; host; host = host->next) {
		if (strcmp(host->origin, origin) == 0)
			return host;
	}
	host = calloc(1, sizeof(*host) + strlen(origin) + 1);
	if (!host)
		return NULL;
	strcpy(host->origin, origin);
	host->next = q->hosts;
	q->hosts = host;
	return host;
}

int queue_add(struct queue *q, struct transfer *t)
{
	struct transfer **p;

	pthread_mutex_lock(&q->lock);
	t->host = queue_host(q, t->origin);
	if (t->host) {
		for (p = &q->first; *p; p = &(*p)->next)
			;
		*p = t;
	}
	pthread_mutex_unlock(&q->lock);
	return t->host ? 0 : -ENOMEM;
}

void queue_move_up(struct queue *q, struct transfer *t)
{
	pthread_mutex_lock(&q->lock);
	if (t->turn == TURN_SPARE)
		t->turn = TURN_BULK;
	pthread_mutex_unlock(&q->lock);
}

struct transfer *queue_take(struct queue *q, enum turn turn)
{
	struct transfer **p, *t = NULL;

	pthread_mutex_lock(&q->lock);
	for (p = &q->first; *p; p = &(*p)->next) {
		if ((*p)->turn != turn)
			continue;
		if (transfer_is_closed(*p) ||
		    host_has_room((*p)->host, q->connections, (*p)->bulk)) {
			t = *p;
			*p = t->next;
			break;
		}
	}
	pthread_mutex_unlock(&q->lock);
	return t;
}
