/* SPDX-License-Identifier: MIT */
#include "registry/http/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "registry/http/host.h"
#include "registry/http/internal.h"
#include "registry/http/url.h"

#define RING_SMALL (128u << 10) /* a document, or a span or two */
#define RING_BULK  (1u << 20)	/* some ms of a fast link, so that a decoder can run */

/* Life */

int transfer_new(const struct transfer_driver *driver, bool bulk, bool spare,
		 char *origin, struct transfer **out)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (!t) {
		free(origin);
		return -ENOMEM;
	}
	t->driver = driver;
	t->turn = !bulk ? TURN_SMALL : !spare ? TURN_BULK : TURN_SPARE;
	t->origin = origin;
	t->bulk = bulk;
	t->is_spare = spare;
	t->ring.size = spare ? HTTP_SPARE_MAX : bulk ? RING_BULK : RING_SMALL;
	buf_init(&t->secrets, 4u << 20); /* tokens have up to 1 MiB */
	pthread_mutex_init(&t->lock, NULL);
	clock_cond_init(&t->moved);
	*out = t;
	return 0;
}

void transfer_free(struct transfer *t)
{
	t->driver->drop(t->driver, t);
	head_release(&t->head);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->moved);
	ring_release(&t->ring);
	secret_release(&t->secrets);
	free(t->origin);
	free(t);
}

/* The thread's side */

void transfer_start(struct transfer *t)
{
	pthread_mutex_lock(&t->lock);
	t->started = clock_ms();
	pthread_cond_broadcast(&t->moved);
	pthread_mutex_unlock(&t->lock);
}

void transfer_show_head(struct transfer *t)
{
	pthread_mutex_lock(&t->lock);
	t->has_head = true;
	pthread_cond_broadcast(&t->moved);
	pthread_mutex_unlock(&t->lock);
}

int transfer_put(struct transfer *t, const void *data, size_t len)
{
	bool fits;

	if (!ring_ensure(&t->ring))
		return -ENOMEM;
	if (len > t->ring.size)
		return -E2BIG;
	pthread_mutex_lock(&t->lock);
	fits = len <= ring_room(&t->ring);
	t->paused = !fits;
	pthread_mutex_unlock(&t->lock);
	if (!fits)
		return -EAGAIN;
	ring_fill(&t->ring, data, len);
	pthread_mutex_lock(&t->lock);
	ring_advance(&t->ring, len);
	pthread_cond_broadcast(&t->moved);
	pthread_mutex_unlock(&t->lock);
	host_note_alive(t->host);
	return 0;
}

/* curl repeats the whole URL of a proxy that it cannot use, with the password in it. */
static void hide_proxy(char *why)
{
	if (strncmp(why, "Unsupported proxy", 17) == 0 ||
	    (strstr(why, "proxy") && (strchr(why, '@') || strstr(why, "://"))))
		snprintf(why, TRANSFER_WHY_MAX,
			 "the proxy's URL (https_proxy, http_proxy or all_proxy) is "
			 "invalid or not supported");
}

void transfer_finish(struct transfer *t, int rc)
{
	bool closed;

	hide_proxy(t->why);
	pthread_mutex_lock(&t->lock);
	t->done = true;
	t->rc = rc;
	closed = t->closed;
	pthread_cond_broadcast(&t->moved);
	pthread_mutex_unlock(&t->lock);
	if (closed)
		transfer_free(t);
}

enum transfer_wish transfer_wish(struct transfer *t)
{
	enum transfer_wish wish = TRANSFER_GO_ON;

	pthread_mutex_lock(&t->lock);
	if (t->closed) {
		wish = TRANSFER_END;
	} else if (t->paused && ring_room(&t->ring) >= t->ring.size / 2) {
		t->paused = false;
		wish = TRANSFER_RESUME;
	} else if (t->paused) {
		host_note_alive(t->host); /* the reader is slow, not the host */
	}
	pthread_mutex_unlock(&t->lock);
	return wish;
}

bool transfer_is_closed(struct transfer *t)
{
	bool closed;

	pthread_mutex_lock(&t->lock);
	closed = t->closed;
	pthread_mutex_unlock(&t->lock);
	return closed;
}

/* The reader's side */

/* Waits for a change, with the lock held; false at the deadline. */
static bool transfer_wait(struct transfer *t, int64_t until)
{
	return clock_cond_wait(&t->moved, &t->lock, until);
}

static int transfer_failure(struct transfer *t, struct err *e)
{
	return err_set(e, t->rc, "%s: %s", t->origin,
		       t->rc == -ECANCELED ? "the mount ends" : t->why);
}

/* The part of the time since @queued in which the host served others. */
static int64_t time_of_others(const struct transfer *t, int64_t queued)
{
	int64_t alive = host_alive(t->host);

	if (t->started && alive > t->started)
		alive = t->started;
	return alive > queued ? alive - queued : 0;
}

/* Waits until it leaves the queue, with the lock held. False: the host serves nobody. */
static bool await_start(struct transfer *t, int64_t queued, int64_t until)
{
	while (!t->started && !t->done) {
		int64_t end = until + time_of_others(t, queued);

		if (clock_ms() >= end)
			return false;
		transfer_wait(t, end);
	}
	return true;
}

int transfer_await(struct transfer *t, int64_t *until, struct err *e)
{
	int64_t queued = clock_ms();
	int rc = 0;

	if (t->is_spare)
		t->driver->move_up(t->driver, t);
	pthread_mutex_lock(&t->lock);
	if (!await_start(t, queued, *until))
		rc = err_set(e, -ETIMEDOUT, "%s: it answers no request", t->origin);
	*until += time_of_others(t, queued);
	while (rc == 0 && !t->has_head && !t->done) {
		if (!transfer_wait(t, *until) && !t->has_head && !t->done)
			rc = err_set(e, -ETIMEDOUT, "%s: no answer in time", t->origin);
	}
	if (rc == 0 && t->rc < 0 && !t->has_head)
		rc = transfer_failure(t, e);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

const struct http_head *transfer_head(const struct transfer *t)
{
	return &t->head;
}

ssize_t transfer_next(struct transfer *t, const void **data, size_t max, int64_t until,
		      struct err *e)
{
	ssize_t rc = 0;

	pthread_mutex_lock(&t->lock);
	ring_give_back(&t->ring);
	if (t->paused && ring_room(&t->ring) >= t->ring.size / 2)
		t->driver->wake(t->driver); /* the pause can end */
	while (ring_is_empty(&t->ring) && !t->done && rc == 0) {
		if (!transfer_wait(t, until) && ring_is_empty(&t->ring) && !t->done)
			rc = err_set(e, -ETIMEDOUT, "%s: the answer stalled", t->origin);
	}
	if (rc == 0 && !ring_is_empty(&t->ring))
		rc = (ssize_t)ring_lend(&t->ring, max, data);
	else if (rc == 0 && t->rc < 0)
		rc = transfer_failure(t, e);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

void transfer_close(struct transfer *t)
{
	bool done;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	done = t->done;
	t->closed = true;
	if (!done)
		/* under the lock, so that the thread cannot free t before */
		t->driver->wake(t->driver);
	pthread_mutex_unlock(&t->lock);
	if (done)
		transfer_free(t);
}

/* What was sent */

#define SECRET_MIN 4 /* a shorter text is in many messages by chance */

/* So that an error message of the server which repeats it is not shown. */
static int keep_secret(struct transfer *t, const char *text, size_t len)
{
	return len < SECRET_MIN ? 0 : buf_append(&t->secrets, text, len + 1);
}

int transfer_keep_credential(struct transfer *t, const char *value)
{
	const char *space = strchr(value, ' '), *word = space ? space + 1 : value;
	char *plain = strdup(word), *colon;
	size_t len = strlen(word);
	int rc = plain ? keep_secret(t, word, len) : -ENOMEM;

	if (rc == 0 && strncasecmp(value, "Basic ", 6) == 0 &&
	    base64_decode(plain, &len)) {
		plain[len] = '\0';
		colon = strchr(plain, ':');
		if (colon)
			rc = keep_secret(t, colon + 1, strlen(colon + 1));
	}
	secret_free(plain);
	return rc;
}

int transfer_keep_form(struct transfer *t, const char *form)
{
	const char *value = strrchr(form, '=');
	struct buf plain;
	int rc;

	buf_init(&plain, 1u << 20);
	rc = value ? url_unescape(&plain, value + 1) : 0;
	if (rc == 0)
		rc = keep_secret(t, buf_text(&plain), plain.len);
	secret_release(&plain);
	return rc;
}

bool transfer_repeats(const struct transfer *t, const char *text)
{
	const char *p = buf_text(&t->secrets), *end = p + t->secrets.len;

	for (; p < end; p += strlen(p) + 1) {
		if (strstr(text, p))
			return true;
	}
	return false;
}

int transfer_read_all(struct transfer *t, struct buf *body, int64_t until, struct err *e)
{
	const void *data;
	ssize_t n;

	while ((n = transfer_next(t, &data, RING_SMALL, until, e)) > 0) {
		if (buf_append(body, data, (size_t)n) < 0)
			return err_set(
				e, -E2BIG,
				"%s: an answer of more than %zu bytes, too large for "
				"this request",
				t->origin, body->max);
	}
	return (int)n;
}
