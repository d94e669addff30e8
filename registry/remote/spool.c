/* SPDX-License-Identifier: MIT */
/*
 * One at a time adds to the file: who reads what is not there yet asks for it, in the
 * ordinary way, with all the retries that there are. As soon as bytes come, a thread goes
 * on with that answer, for the host sends all of it whether it is wanted now or not, and
 * an answer that nobody takes keeps a connection from others. The thread itself asks for
 * nothing: when the answer breaks off or stalls it ends, and the next reader asks. So it
 * never waits for long, and whoever closes the spool does not wait for the network.
 */
#include "registry/remote/spool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/source.h"
#include "base/store/room.h"
#include "registry/http/http.h"
#include "registry/remote/remote.h"

/* How often the thread looks whether it is to stop. */
#define LOOK_MS 100

struct spool {
	struct source source;
	struct blob_fetch *supply;
	int fd;
	struct range_reader reading; /* of whoever made it busy */

	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t moved;
	uint64_t filled; /* bytes from the start */
	bool is_busy;	 /* somebody adds to it */
	bool has_thread; /* to be joined; it may have ended */
	bool stop;
	pthread_t thread;
	unsigned failures; /* the last of which was: */
	int rc;
	struct err err;
};

/* Or -ENOSPC, whatever the reason. */
static int write_all(int fd, const char *data, size_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -ENOSPC;
		data += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* By who made it busy. 0 or -ENOSPC; *filled is where they end. */
static int add(struct spool *s, const void *data, size_t len, uint64_t *filled)
{
	int rc = write_all(s->fd, data, len, *filled);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	s->filled += len;
	*filled = s->filled;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* Under the lock. Those who wait now have the error, too; later ones try anew. */
static void end_busy(struct spool *s, int rc, const struct err *e)
{
	s->is_busy = false;
	if (rc < 0) {
		s->failures++;
		s->rc = rc;
		s->err = *e;
	}
	pthread_cond_broadcast(&s->moved);
}

static bool is_stopped(struct spool *s)
{
	bool stop;

	pthread_mutex_lock(&s->lock);
	stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	return stop;
}

/* The thread: what is left of the answer under way, as long as it comes. */
static void *drain(void *arg)
{
	const struct remote *remote = blob_fetch_remote(((struct spool *)arg)->supply);
	struct spool *s = arg;
	const struct err none = {""};
	uint64_t filled = s->filled; /* nobody else changes it now */
	int64_t until = remote_try(remote, INT64_MAX);
	const void *data;
	ssize_t n;
	int rc = 0;

	do {
		n = range_reader_more(&s->reading, &data, clock_ms() + LOOK_MS);
		if (n > 0) {
			rc = add(s, data, (size_t)n, &filled);
			until = remote_try(remote, INT64_MAX);
		} else if (n == -ETIMEDOUT && clock_ms() < until) {
			n = 1;
		}
	} while (n > 0 && rc == 0 && !is_stopped(s));
	range_reader_release(&s->reading);
	pthread_mutex_lock(&s->lock);
	end_busy(s, rc, &none);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* An answer is under way. By who made it busy, which it stays if this gives 0. */
static int start_thread(struct spool *s)
{
	int rc;

	if (s->has_thread)
		pthread_join(s->thread, NULL); /* it has ended, since it is not busy */
	rc = -pthread_create(&s->thread, NULL, drain, s);
	s->has_thread = rc == 0;
	return rc < 0 ? -ENOSPC : 0;
}

/* By a reader that made it busy: at least a few bytes more. */
static void ask(struct spool *s)
{
	struct err e = {""};
	uint64_t filled = s->filled;
	const void *data;
	ssize_t n;
	int rc;

	range_reader_init(&s->reading, s->supply, filled, s->source.size, false);
	n = range_reader_next(&s->reading, &data, &e);
	rc = n < 0 ? (int)n : add(s, data, (size_t)n, &filled);
	if (rc == 0 && filled < s->source.size) {
		rc = start_thread(s);
		if (rc == 0)
			return;
	}
	range_reader_release(&s->reading);
	pthread_mutex_lock(&s->lock);
	end_busy(s, rc, &e);
	pthread_mutex_unlock(&s->lock);
}

/* Until all before @end is there. */
static int await(struct spool *s, uint64_t end, struct err *e)
{
	unsigned failures;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	failures = s->failures;
	while (rc == 0 && s->filled < end) {
		if (s->failures != failures || s->rc == -ENOSPC) {
			rc = err_set(e, s->rc, "%s", s->err.text);
		} else if (s->is_busy) {
			pthread_cond_wait(&s->moved, &s->lock);
		} else {
			s->is_busy = true;
			pthread_mutex_unlock(&s->lock);
			ask(s);
			pthread_mutex_lock(&s->lock);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static ssize_t spool_pread(struct source *src, void *buf, size_t len, uint64_t off,
			   struct err *e)
{
	struct spool *s = (struct spool *)src;
	int rc = await(s, off + len, e);
	ssize_t n;

	if (rc < 0)
		return rc;
	do
		n = pread(s->fd, buf, len, (off_t)off);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len ? n : -ENOSPC; /* the disk has lost it */
}

static void spool_release(struct source *src)
{
	struct spool *s = (struct spool *)src;

	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_mutex_unlock(&s->lock);
	if (s->has_thread)
		pthread_join(s->thread, NULL);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->moved);
	close(s->fd);
	free(s);
}

int spool_new(struct store *store, struct blob_fetch *supply, uint64_t size,
	      const struct range_reader *answer, struct source **out)
{
	static const struct source_ops ops = {.pread = spool_pread,
					      .release = spool_release};
	struct spool *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (!s)
		return -ENOMEM;
	s->fd = store_new_copy(store, size);
	if (s->fd < 0) {
		rc = s->fd;
		free(s);
		return rc;
	}
	source_init(&s->source, &ops, size);
	s->supply = supply;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->moved, NULL);
	if (answer) {
		s->reading = *answer;
		s->is_busy = true;
		rc = start_thread(s);
	}
	if (rc < 0)
		spool_release(&s->source);
	else
		*out = &s->source;
	return rc;
}
