/* SPDX-License-Identifier: MIT */
#include "registry/disk/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/source.h"

int file_open(int dir, const char *path, struct source **out, struct err *e)
{
	/* O_NONBLOCK: a FIFO must not block the mount. */
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	if (fd < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	rc = source_file(fd, out, e);
	return rc < 0 ? err_prefix(e, rc, "%s", path) : 0;
}

int file_read(struct source *s, struct buf *out, struct err *e)
{
	void *to;
	int rc;

	if (s->size > out->max)
		return err_set(e, -E2BIG, "%llu bytes, more than the %zu that are read",
			       (unsigned long long)s->size, out->max);
	rc = buf_reserve(out, (size_t)s->size, &to);
	if (rc < 0)
		return err_set(e, rc, "out of memory");
	rc = source_read_all(s, to, (size_t)s->size, 0, e);
	if (rc == 0)
		buf_advance(out, (size_t)s->size);
	return rc;
}

int file_split(const char *text, char **path, char **tag)
{
	const char *colon = strchr(text, ':');

	*path = strndup(text, colon ? (size_t)(colon - text) : strlen(text));
	*tag = colon && colon[1] ? strdup(colon + 1) : NULL;
	return *path && (*tag || !colon || !colon[1]) ? 0 : -ENOMEM;
}
