/* SPDX-License-Identifier: MIT */
/*
 * One thread at a time fills the file. A reader whose bytes are missing makes the request, in the
 * ordinary way with all retries. When the first bytes have arrived, a thread of the spool
 * continues with that response: the host sends the whole blob anyway, and an unread response
 * keeps its connection from other requests. That thread makes no requests. If the response
 * breaks off or stalls, the thread ends, and the next reader makes a request. So the thread
 * never waits for long, and closing the spool does not wait for the network.
 *
 * A host that ignored one range may honour the next: only one of several machines behind a name
 * ignores them, or a cache does so while it is cold. A slow host would then hold every reader
 * until the whole blob has come. So a reader that has waited for a second requests its range
 * again. Each such request costs a host without ranges the start of another copy, so one reader
 * at a time makes it, and the pause before the next one doubles.
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
#include "registry/remote/remote.h"

/* How often the thread checks whether it must stop. */
#define STOP_CHECK_MS 100

/* How long a reader waits before a range is requested again, and for the head of the answer. */
#define PROBE_AFTER_MS	1000
#define PROBE_MS	3000
#define PROBE_PAUSE_MAX (64 * PROBE_AFTER_MS)

struct spool {
	struct source source;
	struct blob_fetch *fetch;
	int fd;
	struct range_reader reader; /* owned by the thread that set is_busy */

	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t moved;
	uint64_t filled; /* bytes from the start */
	bool is_busy;	 /* a thread is filling the file */
	bool has_thread; /* to be joined; it may have ended */
	bool stop;
	pthread_t thread;
	bool is_stale;	     /* the host honours ranges now */
	bool is_probing;     /* a thread is requesting a range again */
	int64_t probe_at;    /* when the next one may, clock_ms() */
	int64_t probe_pause; /* ms */
	unsigned failures;   /* the last one: */
	int rc;
	struct err err;
};

/* 0, or -ENOSPC for any error. */
static int spool_write(int fd, const char *data, size_t len, uint64_t off)
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

/* Called by the thread that set is_busy. 0 or -ENOSPC; *filled is moved. */
static int spool_append(struct spool *s, const void *data, size_t len, uint64_t *filled)
{
	int rc = spool_write(s->fd, data, len, *filled);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	s->filled += len;
	*filled = s->filled;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* Called with the lock. Threads that wait now get the error too; later ones try again. */
static void spool_end_busy(struct spool *s, int rc, const struct err *e)
{
	s->is_busy = false;
	if (rc < 0) {
		s->failures++;
		s->rc = rc;
		s->err = *e;
	}
	pthread_cond_broadcast(&s->moved);
}

static bool spool_is_stopped(struct spool *s)
{
	bool stop;

	pthread_mutex_lock(&s->lock);
	stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	return stop;
}

/* The thread: receives the rest of the response, as long as bytes arrive. */
static void *spool_drain(void *arg)
{
	const struct remote *remote = blob_fetch_remote(((struct spool *)arg)->fetch);
	struct spool *s = arg;
	const struct err none = {""};
	uint64_t filled = s->filled; /* only this thread changes it now */
	int64_t until = remote_try_deadline(remote, INT64_MAX);
	const void *data;
	ssize_t n;
	int rc = 0;

	do {
		n = range_reader_receive(&s->reader, &data, clock_ms() + STOP_CHECK_MS);
		if (n > 0) {
			rc = spool_append(s, data, (size_t)n, &filled);
			until = remote_try_deadline(remote, INT64_MAX);
		} else if (n == -ETIMEDOUT && clock_ms() < until) {
			n = 1;
		}
	} while (n > 0 && rc == 0 && !spool_is_stopped(s));
	range_reader_release(&s->reader);
	pthread_mutex_lock(&s->lock);
	spool_end_busy(s, rc, &none);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Called by the thread that set is_busy; hands that over if it returns 0. */
static int spool_start_thread(struct spool *s)
{
	int rc;

	if (s->has_thread)
		pthread_join(s->thread, NULL); /* it has ended, since is_busy was clear */
	rc = -pthread_create(&s->thread, NULL, spool_drain, s);
	s->has_thread = rc == 0;
	return rc < 0 ? -ENOSPC : 0;
}

/* Called by a reader that set is_busy: makes a request and receives its first bytes. */
static void spool_request(struct spool *s)
{
	struct err e = {""};
	uint64_t filled = s->filled;
	const void *data;
	ssize_t n;
	int rc;

	range_reader_init(&s->reader, s->fetch, filled, s->source.size, false);
	n = range_reader_next(&s->reader, &data, &e);
	rc = n < 0 ? (int)n : spool_append(s, data, (size_t)n, &filled);
	if (rc == 0 && filled < s->source.size) {
		rc = spool_start_thread(s);
		if (rc == 0)
			return;
	}
	range_reader_release(&s->reader);
	pthread_mutex_lock(&s->lock);
	spool_end_busy(s, rc, &e);
	pthread_mutex_unlock(&s->lock);
}

/* Is a request for [off, end) answered with just that? */
static bool spool_probe(struct spool *s, uint64_t off, uint64_t end)
{
	int64_t until = clock_ms() + PROBE_MS;
	struct response p = {0};
	bool is_part;

	is_part = blob_fetch_request(s->fetch, off, end, false, &until, &p, NULL) == 0 &&
		  p.skip == 0 && p.end <= end;
	response_close(&p);
	return is_part;
}

/*
 * Called with the lock, which is given up meanwhile: waits for bytes until @until, and then
 * requests [off, end) again, if it is time for that. Returns the end of the next wait.
 */
static int64_t spool_wait(struct spool *s, uint64_t off, uint64_t end, int64_t until)
{
	bool is_part;

	if (clock_cond_wait(&s->moved, &s->lock, until))
		return until;
	if (!s->is_probing && clock_ms() >= s->probe_at) {
		s->is_probing = true;
		pthread_mutex_unlock(&s->lock);
		is_part = spool_probe(s, off, end);
		pthread_mutex_lock(&s->lock);
		s->is_probing = false;
		s->is_stale = is_part;
		s->probe_at = clock_ms() + s->probe_pause;
		if (s->probe_pause < PROBE_PAUSE_MAX)
			s->probe_pause *= 2;
		pthread_cond_broadcast(&s->moved);
	}
	return clock_ms() + PROBE_AFTER_MS;
}

/* Waits until the file has all bytes of [off, end). */
static int spool_await(struct spool *s, uint64_t off, uint64_t end, struct err *e)
{
	int64_t until = clock_ms() + PROBE_AFTER_MS;
	unsigned failures;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	failures = s->failures;
	while (rc == 0 && s->filled < end) {
		if (s->is_stale) {
			rc = -ESTALE;
		} else if (s->failures != failures || s->rc == -ENOSPC) {
			rc = err_set(e, s->rc, "%s", s->err.text);
		} else if (s->is_busy) {
			until = spool_wait(s, off, end, until);
		} else {
			s->is_busy = true;
			pthread_mutex_unlock(&s->lock);
			spool_request(s);
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
	int rc = spool_await(s, off, off + len, e);
	ssize_t n;

	if (rc < 0)
		return rc;
	do
		n = pread(s->fd, buf, len, (off_t)off);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len ? n : -ENOSPC; /* the file was cut */
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

int spool_new(struct store *store, struct blob_fetch *fetch, uint64_t size,
	      const struct range_reader *response, struct source **out)
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
	s->fetch = fetch;
	pthread_mutex_init(&s->lock, NULL);
	clock_cond_init(&s->moved);
	s->probe_pause = 2 * PROBE_AFTER_MS;
	if (response) {
		s->reader = *response;
		s->is_busy = true;
		rc = spool_start_thread(s);
	}
	if (rc < 0)
		spool_release(&s->source);
	else
		*out = &s->source;
	return rc;
}
