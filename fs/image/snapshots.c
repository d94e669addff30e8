/* SPDX-License-Identifier: MIT */
#include "fs/image/snapshots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fs/image/context.h"
#include "fs/image/status.h"

int snapshot_take(struct mount *m, struct view *v, uint32_t *number)
{
	struct snapshot *s;
	struct buf text;
	int rc;

	buf_init(&text, STATUS_MAX);
	rc = v ? status_render(v, &text) : status_render_all(m, &text);
	if (rc < 0) {
		buf_release(&text);
		return rc;
	}
	pthread_mutex_lock(&m->snapshot_lock);
	*number = ++m->n_snapshots;
	s = &m->snapshots[*number % N_SNAPSHOTS];
	free(s->text);
	s->number = *number;
	s->len = text.len;
	s->text = buf_take(&text);
	pthread_mutex_unlock(&m->snapshot_lock);
	return 0;
}

ssize_t snapshot_read(struct mount *m, uint32_t number, void *buf, size_t size,
		      uint64_t off, size_t *len)
{
	const struct snapshot *s = &m->snapshots[number % N_SNAPSHOTS];
	ssize_t rc = -ESTALE;

	pthread_mutex_lock(&m->snapshot_lock);
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
	pthread_mutex_unlock(&m->snapshot_lock);
	return rc;
}
