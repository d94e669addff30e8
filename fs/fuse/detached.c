/* SPDX-License-Identifier: MIT */
#include "fs/fuse/detached.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mountinfo.h"

struct search {
	const char *mountpoint; /* NULL: any of @dev */
	dev_t dev;
	bool is_found;
};

static int match_mount(void *arg, const struct mountinfo *m)
{
	struct search *s = arg;

	if (!s->mountpoint) {
		s->is_found |= m->device == s->dev;
	} else if (strcmp(m->mountpoint, s->mountpoint) == 0) {
		/* The last one of several lies on top. */
		s->dev = m->device;
		s->is_found = true;
	}
	return 0;
}

void detached_open(struct detached *d, const char *mountpoint)
{
	struct search s = {.mountpoint = mountpoint};

	d->fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (d->fd >= 0 && (mountinfo_each(match_mount, &s) < 0 || !s.is_found))
		detached_close(d);
	d->dev = s.dev;
}

void detached_await(struct detached *d)
{
	d->fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	d->dev = 0;
}

void detached_set(struct detached *d, dev_t dev)
{
	__atomic_store_n(&d->dev, dev, __ATOMIC_SEQ_CST);
}

void detached_close(struct detached *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

bool detached_check(const struct detached *d)
{
	struct search s = {.dev = __atomic_load_n(&d->dev, __ATOMIC_SEQ_CST)};

	return s.dev && mountinfo_each(match_mount, &s) == 0 && !s.is_found;
}
