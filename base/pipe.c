/* SPDX-License-Identifier: MIT */
#include "base/pipe.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct chunk {
	size_t len;
	char *data;
};

struct pipe {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	size_t size; /* of a chunk */
	unsigned n;
	struct chunk *chunks;
	unsigned head; /* chunks handed over so far; the writer fills head % n */
	unsigned tail; /* chunks given back so far */
	bool lent;     /* the reader has chunk tail % n */
	bool ended;
	int end_rc;
	int stop_rc;
	size_t fill; /* the writer's own: bytes in the chunk it fills */
	char memory[];
};

int pipe_new(size_t chunk, unsigned n_chunks, struct pipe **out)
{
	struct pipe *p = calloc(1, sizeof(*p) + chunk * n_chunks);
	unsigned i;

	if (!p)
		return -ENOMEM;
	p->chunks = calloc(n_chunks, sizeof(*p->chunks));
	if (!p->chunks) {
		free(p);
		return -ENOMEM;
	}
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->size = chunk;
	p->n = n_chunks;
	for (i = 0; i < n_chunks; i++)
		p->chunks[i].data = p->memory + i * chunk;
	*out = p;
	return 0;
}

void pipe_free(struct pipe *p)
{
	if (!p)
		return;
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->mutex);
	free(p->chunks);
	free(p);
}

/* Waits for a chunk to write to. */
static int wait_for_room(struct pipe *p)
{
	int rc;

	pthread_mutex_lock(&p->mutex);
	while (p->head - p->tail == p->n && p->stop_rc == 0)
		pthread_cond_wait(&p->changed, &p->mutex);
	rc = p->stop_rc;
	pthread_mutex_unlock(&p->mutex);
	return rc;
}

static void hand_over(struct pipe *p)
{
	p->chunks[p->head % p->n].len = p->fill;
	p->fill = 0;
	pthread_mutex_lock(&p->mutex);
	p->head++;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->mutex);
}

int pipe_room(struct pipe *p, void **room, size_t *len)
{
	int rc = p->fill == 0 ? wait_for_room(p) : 0;

	if (rc < 0)
		return rc;
	*room = p->chunks[p->head % p->n].data + p->fill;
	*len = p->size - p->fill;
	return 0;
}

void pipe_fill(struct pipe *p, size_t len)
{
	p->fill += len;
	if (p->fill == p->size)
		hand_over(p);
}

int pipe_write(struct pipe *p, const void *data, size_t len)
{
	const char *from = data;

	while (len > 0) {
		void *room;
		size_t n;
		int rc = pipe_room(p, &room, &n);

		if (rc < 0)
			return rc;
		if (n > len)
			n = len;
		memcpy(room, from, n);
		pipe_fill(p, n);
		from += n;
		len -= n;
	}
	return 0;
}

void pipe_end(struct pipe *p, int rc)
{
	if (p->fill > 0 && rc == 0)
		hand_over(p);
	pthread_mutex_lock(&p->mutex);
	p->ended = true;
	p->end_rc = rc;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->mutex);
}

ssize_t pipe_next(struct pipe *p, const void **data)
{
	const struct chunk *c;
	ssize_t n;

	pthread_mutex_lock(&p->mutex);
	if (p->lent) {
		p->lent = false;
		p->tail++;
		pthread_cond_broadcast(&p->changed);
	}
	while (p->head == p->tail && !p->ended)
		pthread_cond_wait(&p->changed, &p->mutex);
	if (p->ended && p->end_rc < 0) {
		n = p->end_rc;
	} else if (p->head == p->tail) {
		n = 0;
	} else {
		c = &p->chunks[p->tail % p->n];
		p->lent = true;
		*data = c->data;
		n = (ssize_t)c->len;
	}
	pthread_mutex_unlock(&p->mutex);
	return n;
}

void pipe_stop(struct pipe *p, int rc)
{
	pthread_mutex_lock(&p->mutex);
	p->stop_rc = rc;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->mutex);
}
