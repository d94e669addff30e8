/* SPDX-License-Identifier: MIT */
#include "fs/image/snapshots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

void snapshots_init(struct snapshots *ss)
{
	memset(ss, 0, sizeof(*ss));
	pthread_mutex_init(&ss->lock, NULL);
}

void snapshots_release(struct snapshots *ss)
{
	size_t i;

	for (i = 0; i < N_SNAPSHOTS; i++)
		free(ss->ring[i].text);
	pthread_mutex_destroy(&ss->lock);
}

uint32_t snapshots_add(struct snapshots *ss, struct buf *text)
{
	struct snapshot *s;
	uint32_t number;

	pthread_mutex_lock(&ss->lock);
	number = ++ss->n;
	s = &ss->ring[number % N_SNAPSHOTS];
	free(s->text);
	s->number = number;
	s->len = text->len;
	s->text = buf_take(text);
	pthread_mutex_unlock(&ss->lock);
	return number;
}

ssize_t snapshots_read(struct snapshots *ss, uint32_t number, void *buf, size_t size,
		       uint64_t off, size_t *len)
{
	const struct snapshot *s = &ss->ring[number % N_SNAPSHOTS];
	ssize_t rc = -ESTALE;

	pthread_mutex_lock(&ss->lock);
	if (s->number == number && s->text) {
		if (off >= s->len)
			size = 0;
		else if (size > s->len - off)
			size = (size_t)(s->len - off);
		if (size > 0)
			memcpy(buf, s->text + off, size);
		if (len)
			*len = s->len;
		rc = (ssize_t)size;
	}
	pthread_mutex_unlock(&ss->lock);
	return rc;
}
