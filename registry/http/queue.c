/* SPDX-License-Identifier: MIT */
#include "registry/http/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "registry/http/http.h"
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

/* With the lock. */
static struct host *find_host(struct queue *q, const char *origin)
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
	t->host = find_host(q, t->origin);
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

/* May one more transfer go to this host now? */
static bool has_room(const struct queue *q, const struct host *host, bool bulk)
{
	unsigned most = q->connections > 2 ? q->connections - 2 : 1;

	return host->running < q->connections && (!bulk || host->bulk < most);
}

struct transfer *queue_take(struct queue *q, enum turn turn)
{
	struct transfer **p, *t = NULL;

	pthread_mutex_lock(&q->lock);
	for (p = &q->first; *p; p = &(*p)->next) {
		if ((*p)->turn != turn)
			continue;
		if (transfer_is_closed(*p) || has_room(q, (*p)->host, (*p)->bulk)) {
			t = *p;
			*p = t->next;
			break;
		}
	}
	pthread_mutex_unlock(&q->lock);
	return t;
}

void host_enter(struct host *host, bool bulk)
{
	host->running++;
	host->bulk += bulk;
}

void host_leave(struct host *host, bool bulk)
{
	host->running--;
	host->bulk -= bulk;
}

void host_note_alive(struct host *host)
{
	__atomic_store_n(&host->alive, clock_ms(), __ATOMIC_RELAXED);
}

int64_t host_alive(const struct host *host)
{
	return __atomic_load_n(&host->alive, __ATOMIC_RELAXED);
}
