/* SPDX-License-Identifier: MIT */
/*
 * One thread owns the curl multi handle and all easy handles; other threads hand it
 * transfers through a queue and wait on the transfer's condition.
 *
 *	http_open() -> queue -> start -> curl -> on_header, on_body -> ring -> transfer_next()
 *
 * The ring is written by the transfer thread alone and read by the transfer's reader
 * alone, and its bytes are copied without the lock. A body that finds the ring full is
 * paused (curl keeps the piece it could not give, at most 16 KiB) and goes on when half
 * of the ring is free.
 *
 * A transfer is freed by whoever leaves it last: its reader (closed) or the thread
 * (done). The reader never touches curl, so that closing is a flag and a wake-up.
 *
 * Bulk transfers speak HTTP/1.1: each then has a connection of its own, and a slow
 * reader holds back its own TCP window and nothing else. Over one HTTP/2 connection
 * curl would have to buffer up to 32 MiB for each paused stream.
 */
#include "registry/http.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/answer.h"
#include "registry/reference.h"
#include "registry/ring.h"

#define CONNECTIONS_DEFAULT 8
#define CONNECT_SECONDS	    10L
#define RING_SMALL	    (128u << 10) /* a document or a span or two */
#define RING_BULK	    (1u << 20) /* some ms of a fast link, so that a decoder can run */
#define SPARES_MAX	    6	       /* 12 MiB of rings */

/* A host that transfers run to. Never freed before the http: there are few. */
struct host {
	struct host *next;
	unsigned running, bulk; /* transfers under way, and how many of them are bulk */
	int64_t alive; /* when somebody last got bytes or all of an answer; atomic */
	char origin[];
};

struct http {
	pthread_mutex_t lock; /* guards what follows up to the mark */
	bool has_thread, stop;
	pthread_t thread;
	struct transfer *queue; /* not started, in the order of arrival */
	struct host *hosts;
	CURLM *multi;
	/* from here on the thread's alone */
	struct transfer *running;
	unsigned connections;
	uint64_t requests, bytes, errors, retries; /* atomic */
	unsigned spares;			   /* there are so many; atomic */
};

/* Who goes first when a host has room for one more. */
enum turn { TURN_SMALL, TURN_BULK, TURN_SPARE };

struct transfer {
	struct transfer *next; /* in the queue, then among the running */
	struct http *http;
	CURL *easy; /* the thread's, once queued */
	struct curl_slist *headers;
	struct host *host; /* once queued */
	char *origin;
	bool bulk;
	bool is_spare;	/* counted among the spares */
	enum turn turn; /* under the lock of http, while it is queued */
	char why[CURL_ERROR_SIZE];
	struct http_head head; /* read-only once has_head */

	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t moved;
	int64_t started; /* 0: still in the queue */
	bool has_head, done, closed, paused;
	int rc;		  /* once done */
	struct ring ring; /* but its bytes: see ring.h */
};

int64_t http_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Life of a transfer */

static void transfer_free(struct transfer *t)
{
	if (t->is_spare)
		__atomic_fetch_sub(&t->http->spares, 1, __ATOMIC_RELAXED);
	if (t->easy)
		curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	answer_release(&t->head);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->moved);
	ring_release(&t->ring);
	free(t->origin);
	free(t);
}

/* The thread is through with it; the reader may free it from now on. */
static void finish(struct transfer *t, int rc)
{
	bool closed;

	pthread_mutex_lock(&t->lock);
	t->done = true;
	t->rc = rc;
	closed = t->closed;
	pthread_cond_broadcast(&t->moved);
	pthread_mutex_unlock(&t->lock);
	if (closed)
		transfer_free(t);
}

/* What curl calls, in the transfer thread */

static void note_alive(struct transfer *t)
{
	__atomic_store_n(&t->host->alive, http_now(), __ATOMIC_RELAXED);
}

/* The head is whole: whoever waits for it may look. */
static void head_is_whole(struct transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return; /* "100 Continue" and its like: another head follows */
	t->head.status = (int)status;
	if (status >= 400 && status != 401)
		__atomic_fetch_add(&t->http->errors, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&t->lock);
	t->has_head = true;
	pthread_cond_broadcast(&t->moved);
	pthread_mutex_unlock(&t->lock);
}

static size_t on_header(char *line, size_t one, size_t len, void *arg)
{
	struct transfer *t = arg;

	(void)one;
	if (!t->has_head && answer_line(&t->head, line, len)) /* else they are trailers */
		head_is_whole(t);
	return len;
}

/* Copies what fits as a whole; a false return means that it must wait. */
static bool put(struct transfer *t, const char *data, size_t len)
{
	bool fits;

	pthread_mutex_lock(&t->lock);
	fits = len <= ring_room(&t->ring);
	t->paused = !fits;
	pthread_mutex_unlock(&t->lock);
	if (!fits)
		return false;
	ring_fill(&t->ring, data, len);
	pthread_mutex_lock(&t->lock);
	ring_advance(&t->ring, len);
	pthread_cond_broadcast(&t->moved);
	pthread_mutex_unlock(&t->lock);
	return true;
}

static size_t on_body(char *data, size_t one, size_t len, void *arg)
{
	struct transfer *t = arg;

	(void)one;
	if (!ring_ensure(&t->ring) || len > t->ring.size)
		return len + 1; /* ends the transfer */
	if (!put(t, data, len))
		return CURL_WRITEFUNC_PAUSE;
	note_alive(t);
	__atomic_fetch_add(&t->http->bytes, len, __ATOMIC_RELAXED);
	return len;
}

/* The transfer thread */

static int code_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_URL_MALFORMAT:
		return -EINVAL;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_SSL_CONNECT_ERROR:
		return -EPROTO;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return -EKEYREJECTED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/* May one more transfer go to this host now? */
static bool has_room(const struct http *h, const struct host *host, bool bulk)
{
	unsigned most = h->connections > 2 ? h->connections - 2 : 1;

	return host->running < h->connections && (!bulk || host->bulk < most);
}

/* Off the running, without curl. */
static void unlink_running(struct http *h, struct transfer *t)
{
	struct transfer **p;

	for (p = &h->running; *p != t; p = &(*p)->next)
		;
	*p = t->next;
	t->host->running--;
	t->host->bulk -= t->bulk;
}

static void end(struct http *h, struct transfer *t, CURLcode code)
{
	curl_multi_remove_handle(h->multi, t->easy);
	unlink_running(h, t);
	if (code != CURLE_OK)
		__atomic_fetch_add(&h->errors, 1, __ATOMIC_RELAXED);
	else
		note_alive(t);
	if (!t->why[0])
		snprintf(t->why, sizeof(t->why), "%s", curl_easy_strerror(code));
	finish(t, code == CURLE_OK && !t->has_head ? -EIO : code_of(code));
}

static void start(struct http *h, struct transfer *t)
{
	t->next = h->running;
	h->running = t;
	t->host->running++;
	t->host->bulk += t->bulk;
	pthread_mutex_lock(&t->lock);
	t->started = http_now();
	pthread_cond_broadcast(&t->moved);
	pthread_mutex_unlock(&t->lock);
	__atomic_fetch_add(&h->requests, 1, __ATOMIC_RELAXED);
	if (curl_multi_add_handle(h->multi, t->easy) != CURLM_OK)
		end(h, t, CURLE_OUT_OF_MEMORY);
}

static bool is_closed(struct transfer *t)
{
	bool closed;

	pthread_mutex_lock(&t->lock);
	closed = t->closed;
	pthread_mutex_unlock(&t->lock);
	return closed;
}

/* The first of those of this turn that may start; off the queue. */
static struct transfer *take_startable(struct http *h, enum turn turn)
{
	struct transfer **p, *t = NULL;

	pthread_mutex_lock(&h->lock);
	for (p = &h->queue; *p; p = &(*p)->next) {
		if ((*p)->turn != turn)
			continue;
		if (is_closed(*p) || has_room(h, (*p)->host, (*p)->bulk)) {
			t = *p;
			*p = t->next;
			break;
		}
	}
	pthread_mutex_unlock(&h->lock);
	return t;
}

static void start_queued(struct http *h)
{
	struct transfer *t;
	enum turn turn;

	for (turn = TURN_SMALL; turn <= TURN_SPARE; turn++) {
		while ((t = take_startable(h, turn))) {
			if (is_closed(t))
				finish(t, -ECANCELED);
			else
				start(h, t);
		}
	}
}

/* What readers asked for since the last round: to go on, or to break off. */
static void serve_readers(struct http *h)
{
	struct transfer *t, *next;

	for (t = h->running; t; t = next) {
		bool closed, paused, resume;

		next = t->next;
		pthread_mutex_lock(&t->lock);
		closed = t->closed;
		resume = t->paused && ring_room(&t->ring) >= t->ring.size / 2;
		if (resume)
			t->paused = false;
		paused = t->paused;
		pthread_mutex_unlock(&t->lock);
		if (paused) /* it is not the host that is slow */
			note_alive(t);
		if (closed) {
			curl_multi_remove_handle(h->multi, t->easy);
			unlink_running(h, t);
			finish(t, -ECANCELED);
		} else if (resume) {
			curl_easy_pause(t->easy, CURLPAUSE_CONT);
		}
	}
}

static void reap(struct http *h)
{
	struct transfer *t;
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(h->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		end(h, t, msg->data.result);
	}
}

static void *run(void *arg)
{
	struct http *h = arg;
	bool stop = false;
	int still;

	while (!stop) {
		start_queued(h);
		serve_readers(h);
		curl_multi_perform(h->multi, &still);
		reap(h);
		start_queued(h);
		curl_multi_poll(h->multi, NULL, 0, 1000, NULL);
		pthread_mutex_lock(&h->lock);
		stop = h->stop;
		pthread_mutex_unlock(&h->lock);
	}
	return NULL;
}

/* The thread is started by the first request, so that a program may fork before. */
static int ensure_thread(struct http *h, struct err *e)
{
	sigset_t all, old;
	int rc = 0;

	if (h->has_thread)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = -pthread_create(&h->thread, NULL, run, h);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc < 0)
		return err_set(e, rc, "cannot start a thread: %s", strerror(-rc));
	h->has_thread = true;
	return 0;
}

int http_new(unsigned connections, struct http **out, struct err *e)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(h);
		return err_set(e, -ENOMEM, "out of memory");
	}
	pthread_mutex_init(&h->lock, NULL);
	h->connections = connections ? connections : CONNECTIONS_DEFAULT;
	h->multi = curl_multi_init();
	if (!h->multi) {
		http_free(h);
		return err_set(e, -ENOMEM, "out of memory");
	}
	curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)h->connections);
	*out = h;
	return 0;
}

void http_free(struct http *h)
{
	struct host *host;

	if (!h)
		return;
	if (h->has_thread) {
		pthread_mutex_lock(&h->lock);
		h->stop = true;
		pthread_mutex_unlock(&h->lock);
		curl_multi_wakeup(h->multi);
		pthread_join(h->thread, NULL);
		start_queued(h); /* what was closed before the thread saw it */
		serve_readers(h);
	}
	curl_multi_cleanup(h->multi);
	curl_global_cleanup();
	while ((host = h->hosts)) {
		h->hosts = host->next;
		free(host);
	}
	pthread_mutex_destroy(&h->lock);
	free(h);
}

void http_stats(struct http *h, struct http_stats *out)
{
	out->requests = __atomic_load_n(&h->requests, __ATOMIC_RELAXED);
	out->bytes = __atomic_load_n(&h->bytes, __ATOMIC_RELAXED);
	out->errors = __atomic_load_n(&h->errors, __ATOMIC_RELAXED);
	out->retries = __atomic_load_n(&h->retries, __ATOMIC_RELAXED);
}

void http_count_retry(struct http *h)
{
	__atomic_fetch_add(&h->retries, 1, __ATOMIC_RELAXED);
}

/* A request made ready */

static int add_line(struct transfer *t, const char *line)
{
	struct curl_slist *list = curl_slist_append(t->headers, line);

	if (!list)
		return -ENOMEM;
	t->headers = list;
	return 0;
}

static int add_header(struct transfer *t, const char *name, const char *value)
{
	size_t len = strlen(name) + strlen(value) + 3;
	char *line = malloc(len);
	int rc = -ENOMEM;

	if (line) {
		snprintf(line, len, "%s: %s", name, value);
		rc = add_line(t, line);
		explicit_bzero(line, len);
		free(line);
	}
	return rc;
}

static int set_headers(struct transfer *t, const struct http_request *rq)
{
	const char *const *own = rq->tls ? rq->tls->headers : NULL;
	int rc = 0;

	if (rq->accept)
		rc = add_header(t, "Accept", rq->accept);
	/* An answer in another coding would make byte offsets meaningless. */
	if (rc == 0)
		rc = add_header(t, "Accept-Encoding", "identity");
	if (rc == 0 && rq->authorization)
		rc = add_header(t, "Authorization", rq->authorization);
	for (; rc == 0 && own && *own; own++) {
		/* What a challenge asked for counts more than what was configured. */
		if (!rq->authorization || strncasecmp(*own, "Authorization:", 14) != 0)
			rc = add_line(t, *own);
	}
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	return rc;
}

static void set_tls(CURL *easy, const struct http_tls *tls)
{
	if (!tls)
		return;
	/*
	 * This stands in for the system's file of certificates, not for its directory
	 * (CURLOPT_CAPATH), which has the same.
	 */
	if (tls->ca_pem) {
		struct curl_blob pem = {
			.data = (void *)tls->ca_pem,
			.len = strlen(tls->ca_pem),
			.flags = CURL_BLOB_COPY,
		};

		curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &pem);
	}
	if (tls->cert_file)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
	if (tls->key_file)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
	if (tls->insecure) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void set_body(CURL *easy, const struct http_request *rq)
{
	char range[48];

	if (rq->head)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (rq->form)
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, rq->form);
	if (!rq->has_range)
		return;
	snprintf(range, sizeof(range), "%llu-", (unsigned long long)rq->first);
	if (rq->last != HTTP_TO_THE_END)
		snprintf(range + strlen(range), sizeof(range) - strlen(range), "%llu",
			 (unsigned long long)rq->last);
	curl_easy_setopt(easy, CURLOPT_RANGE, range);
}

static int set_up(struct transfer *t, const struct http_request *rq)
{
	CURL *easy = t->easy;

	curl_easy_setopt(easy, CURLOPT_URL, rq->url);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)t);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->why);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "peelfs/" PEELFS_VERSION);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 rq->bulk ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, rq->bulk ? 262144L : 65536L);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	/* No proxy can reach what is meant by this machine's loopback; Go's rule too. */
	if (reference_host_is_loopback(strstr(t->origin, "://") + 3))
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	set_tls(easy, rq->tls);
	if (rq->tls && rq->tls->connect_ms)
		curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
				 (long)rq->tls->connect_ms);
	set_body(easy, rq);
	return set_headers(t, rq);
}

static int transfer_new(struct http *h, const struct http_request *rq,
			struct transfer **out, struct err *e)
{
	struct transfer *t = calloc(1, sizeof(*t));
	pthread_condattr_t attr;
	struct buf origin;
	int rc;

	if (!t)
		return err_set(e, -ENOMEM, "out of memory");
	t->http = h;
	t->bulk = rq->bulk;
	t->turn = !rq->bulk ? TURN_SMALL : !rq->spare ? TURN_BULK : TURN_SPARE;
	t->is_spare = rq->spare;
	if (rq->spare)
		__atomic_fetch_add(&h->spares, 1, __ATOMIC_RELAXED);
	t->ring.size = rq->spare ? HTTP_SPARE_MAX : rq->bulk ? RING_BULK : RING_SMALL;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->moved, &attr);
	pthread_condattr_destroy(&attr);
	buf_init(&origin, HTTP_URL_MAX);
	rc = http_url_origin(rq->url, &origin);
	if (rc == 0) {
		t->origin = buf_take(&origin);
		t->easy = curl_easy_init();
		rc = t->easy && t->origin ? set_up(t, rq) : -ENOMEM;
	}
	buf_release(&origin);
	if (rc < 0) {
		transfer_free(t);
		return err_set(e, rc,
			       rc == -EINVAL ? "not a URL that can be asked: %.200s"
					     : "out of memory",
			       rq->url);
	}
	*out = t;
	return 0;
}

/* With the lock. */
static struct host *find_host(struct http *h, const char *origin)
{
	struct host *host;

	for (host = h->hosts; host; host = host->next) {
		if (!strcmp(host->origin, origin))
			return host;
	}
	host = calloc(1, sizeof(*host) + strlen(origin) + 1);
	if (!host)
		return NULL;
	strcpy(host->origin, origin);
	host->next = h->hosts;
	h->hosts = host;
	return host;
}

static int enqueue(struct http *h, struct transfer *t, struct err *e)
{
	struct transfer **p;
	int rc;

	pthread_mutex_lock(&h->lock);
	rc = ensure_thread(h, e);
	if (rc == 0) {
		t->host = find_host(h, t->origin);
		rc = t->host ? 0 : err_set(e, -ENOMEM, "out of memory");
	}
	if (rc == 0) {
		for (p = &h->queue; *p; p = &(*p)->next)
			;
		*p = t;
	}
	pthread_mutex_unlock(&h->lock);
	if (rc == 0)
		curl_multi_wakeup(h->multi);
	return rc;
}

/* What readers call */

/* Waits for news; false at the deadline. The lock is held. */
static bool wait_until(struct transfer *t, int64_t until)
{
	struct timespec ts = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

	return pthread_cond_timedwait(&t->moved, &t->lock, &ts) != ETIMEDOUT;
}

static int failure(struct transfer *t, struct err *e)
{
	return err_set(e, t->rc, "%s: %s", t->origin, t->why);
}

int http_begin(struct http *h, const struct http_request *rq, struct transfer **out,
	       struct err *e)
{
	struct transfer *t = NULL;
	int rc;

	if (rq->spare && __atomic_load_n(&h->spares, __ATOMIC_RELAXED) >= SPARES_MAX)
		return -EAGAIN;
	rc = transfer_new(h, rq, &t, e);
	if (rc == 0)
		rc = enqueue(h, t, e);
	if (rc < 0 && t)
		transfer_free(t);
	else if (rc == 0)
		*out = t;
	return rc;
}

/* Someone waits for it now: no longer behind all others. */
static void move_up(struct transfer *t)
{
	pthread_mutex_lock(&t->http->lock);
	if (t->turn == TURN_SPARE)
		t->turn = TURN_BULK;
	pthread_mutex_unlock(&t->http->lock);
	curl_multi_wakeup(t->http->multi);
}

/* So much of the time since @queued does not count: others were served meanwhile. */
static int64_t time_of_others(const struct transfer *t, int64_t queued)
{
	int64_t alive = __atomic_load_n(&t->host->alive, __ATOMIC_RELAXED);

	if (t->started && alive > t->started)
		alive = t->started;
	return alive > queued ? alive - queued : 0;
}

/* Until it is no longer in the queue; with the lock. False: the host serves nobody. */
static bool await_start(struct transfer *t, int64_t queued, int64_t until)
{
	while (!t->started && !t->done) {
		int64_t end = until + time_of_others(t, queued);

		if (http_now() >= end)
			return false;
		wait_until(t, end);
	}
	return true;
}

int transfer_await(struct transfer *t, int64_t *until, struct err *e)
{
	int64_t queued = http_now();
	int rc = 0;

	if (t->is_spare)
		move_up(t);
	pthread_mutex_lock(&t->lock);
	if (!await_start(t, queued, *until))
		rc = err_set(e, -ETIMEDOUT, "%s: it answers nobody", t->origin);
	*until += time_of_others(t, queued);
	while (rc == 0 && !t->has_head && !t->done) {
		if (!wait_until(t, *until) && !t->has_head && !t->done)
			rc = err_set(e, -ETIMEDOUT, "%s: no answer in time", t->origin);
	}
	if (rc == 0 && t->rc < 0 && !t->has_head)
		rc = failure(t, e);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

int http_open(struct http *h, const struct http_request *rq, int64_t *until,
	      struct transfer **out, struct err *e)
{
	struct transfer *t = NULL;
	int rc = http_begin(h, rq, &t, e);

	if (rc == 0)
		rc = transfer_await(t, until, e);
	if (rc < 0)
		transfer_close(t);
	else
		*out = t;
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
		curl_multi_wakeup(t->http->multi); /* the pause can end */
	while (ring_is_empty(&t->ring) && !t->done && rc == 0) {
		if (!wait_until(t, until) && ring_is_empty(&t->ring) && !t->done)
			rc = err_set(e, -ETIMEDOUT, "%s: the answer stopped coming",
				     t->origin);
	}
	if (rc == 0 && !ring_is_empty(&t->ring))
		rc = (ssize_t)ring_lend(&t->ring, max, data);
	else if (rc == 0 && t->rc < 0)
		rc = failure(t, e);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

void transfer_close(struct transfer *t)
{
	struct http *h;
	bool done;

	if (!t)
		return;
	h = t->http;
	pthread_mutex_lock(&t->lock);
	done = t->done;
	t->closed = true;
	if (!done)
		/* before the thread may free t and us, h */
		curl_multi_wakeup(h->multi);
	pthread_mutex_unlock(&t->lock);
	if (done)
		transfer_free(t);
}

int transfer_read_all(struct transfer *t, struct buf *body, int64_t until, struct err *e)
{
	const void *data;
	ssize_t n;

	while ((n = transfer_next(t, &data, RING_SMALL, until, e)) > 0) {
		if (buf_append(body, data, (size_t)n) < 0)
			return err_set(e, -E2BIG,
				       "%s: an answer of over %zu bytes, too large for "
				       "what was asked",
				       t->origin, body->max);
	}
	return (int)n;
}

/* URLs */

static int append_url(CURLU *u, struct buf *out)
{
	char *text = NULL;
	int rc = -EINVAL;

	if (curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK)
		rc = buf_append_text(out, text);
	curl_free(text);
	return rc;
}

int http_url_join(const char *base, const char *link, struct buf *out)
{
	CURLU *u = curl_url();
	int rc = -EINVAL;

	if (!u)
		return -ENOMEM;
	/* Setting a URL on one that is there resolves it as a link (RFC 3986, 5). */
	if (curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_URL, link, CURLU_URLENCODE) == CURLUE_OK)
		rc = append_url(u, out);
	curl_url_cleanup(u);
	return rc;
}

int http_url_origin(const char *url, struct buf *out)
{
	char *scheme = NULL, *host = NULL, *port = NULL, *c;
	CURLU *u = curl_url();
	int rc = -EINVAL;

	if (!u)
		return -ENOMEM;
	if (strlen(url) <= HTTP_URL_MAX &&
	    curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	    (!strcasecmp(scheme, "http") || !strcasecmp(scheme, "https"))) {
		for (c = host; *c; c++) {
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c + 'a' - 'A');
		}
		rc = buf_printf(out, "%s://%s:%s", scheme, host, port);
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return rc;
}

int http_escape(struct buf *out, const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, (int)strlen(text));
	int rc = escaped ? buf_append_text(out, escaped) : -ENOMEM;

	curl_free(escaped);
	return rc;
}

int http_url_query(struct buf *url, const char *name, const char *value)
{
	int rc = buf_printf(url, "%c%s=", strchr(buf_text(url), '?') ? '&' : '?', name);

	return rc < 0 ? rc : http_escape(url, value);
}
