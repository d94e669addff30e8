/* SPDX-License-Identifier: MIT */
#include "base/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/num.h"

void source_init(struct source *s, const struct source_ops *ops, uint64_t size)
{
	*s = (struct source){.ops = ops, .size = size, .refs = 1};
}

struct source *source_ref(struct source *s)
{
	__atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void source_unref(struct source *s)
{
	if (s && __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) == 0)
		s->ops->release(s);
}

ssize_t source_pread(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	if (off >= s->size || len == 0)
		return 0;
	if (len > s->size - off)
		len = (size_t)(s->size - off);
	return s->ops->pread(s, buf, len, off, e);
}

int source_read_all(struct source *s, void *buf, size_t len, uint64_t off, struct err *e)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = source_pread(s, (char *)buf + done, len - done, off + done,
					 e);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return err_set(e, -EBADMSG,
				       "data ends at byte %llu, %zu more expected",
				       (unsigned long long)(off + done), len - done);
		done += (size_t)n;
	}
	return 0;
}

/* Memory */

struct memory {
	struct source source;
	const char *data;
};

static ssize_t memory_pread(struct source *s, void *buf, size_t len, uint64_t off,
			    struct err *e)
{
	(void)e;
	memcpy(buf, ((struct memory *)s)->data + off, len);
	return (ssize_t)len;
}

static void memory_release(struct source *s)
{
	free(s);
}

int source_memory(const void *data, size_t size, struct source **out)
{
	static const struct source_ops ops = {.pread = memory_pread,
					      .release = memory_release};
	struct memory *m = malloc(sizeof(*m));

	if (!m)
		return -ENOMEM;
	source_init(&m->source, &ops, size);
	m->data = data;
	*out = &m->source;
	return 0;
}

/* File */

struct file {
	struct source source;
	int fd;
};

static ssize_t file_pread(struct source *s, void *buf, size_t len, uint64_t off,
			  struct err *e)
{
	ssize_t n;

	do {
		n = pread(((struct file *)s)->fd, buf, len, (off_t)off);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, -errno, "cannot read a file: %s", strerror(errno));
	return n;
}

static void file_release(struct source *s)
{
	close(((struct file *)s)->fd);
	free(s);
}

int source_file(int fd, struct source **out, struct err *e)
{
	static const struct source_ops ops = {.pread = file_pread,
					      .release = file_release};
	struct file *f = NULL;
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0) {
		rc = err_set(e, -errno, "cannot stat a file: %s", strerror(errno));
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		rc = err_set(e, -EINVAL, "not a regular file");
		goto fail;
	}
	f = malloc(sizeof(*f));
	if (!f) {
		rc = -ENOMEM;
		goto fail;
	}
	source_init(&f->source, &ops, (uint64_t)st.st_size);
	f->fd = fd;
	*out = &f->source;
	return 0;
fail:
	close(fd);
	return rc;
}

/* Slice */

struct slice {
	struct source source;
	struct source *base;
	uint64_t start;
};

static ssize_t slice_pread(struct source *s, void *buf, size_t len, uint64_t off,
			   struct err *e)
{
	struct slice *sl = (struct slice *)s;

	return source_pread(sl->base, buf, len, sl->start + off, e);
}

static void slice_release(struct source *s)
{
	source_unref(((struct slice *)s)->base);
	free(s);
}

int source_slice(struct source *base, uint64_t off, uint64_t len, struct source **out)
{
	static const struct source_ops ops = {.pread = slice_pread,
					      .release = slice_release};
	struct slice *sl;

	if (!range_fits(off, len, base->size))
		return -EINVAL;
	sl = malloc(sizeof(*sl));
	if (!sl)
		return -ENOMEM;
	source_init(&sl->source, &ops, len);
	sl->base = source_ref(base);
	sl->start = off;
	*out = &sl->source;
	return 0;
}

/* A stream of preads, for sources without a stream of their own. */

#define CHUNK (256 * 1024)

struct pread_stream {
	struct stream stream;
	struct source *source;
	uint64_t off;
	char chunk[CHUNK];
};

static ssize_t pread_stream_next(struct stream *st, const void **data, struct err *e)
{
	struct pread_stream *ps = (struct pread_stream *)st;
	ssize_t n = source_pread(ps->source, ps->chunk, CHUNK, ps->off, e);

	if (n > 0) {
		ps->off += (uint64_t)n;
		*data = ps->chunk;
	}
	return n;
}

static void pread_stream_close(struct stream *st)
{
	struct pread_stream *ps = (struct pread_stream *)st;

	source_unref(ps->source);
	free(ps);
}

static int pread_stream_open(struct source *s, uint64_t off, struct stream **out)
{
	static const struct stream_ops ops = {
		.next = pread_stream_next,
		.close = pread_stream_close,
	};
	struct pread_stream *ps = malloc(sizeof(*ps));

	if (!ps)
		return -ENOMEM;
	ps->stream.ops = &ops;
	ps->source = source_ref(s);
	ps->off = off;
	*out = &ps->stream;
	return 0;
}

bool source_is_remote(const struct source *s)
{
	return s->ops->stream != NULL;
}

int source_stream(struct source *s, uint64_t off, struct stream **out, struct err *e)
{
	if (s->ops->stream)
		return s->ops->stream(s, off, out, e);
	return pread_stream_open(s, off, out);
}

ssize_t stream_next(struct stream *st, const void **data, struct err *e)
{
	return st->ops->next(st, data, e);
}

void stream_close(struct stream *st)
{
	if (st)
		st->ops->close(st);
}
