/* SPDX-License-Identifier: MIT */
/*
 * One thread owns the curl multi handle and all easy handles; other threads hand it
 * transfers through a queue (queue.h) and wait on the transfer's condition (transfer.h).
 *
 *	http_open() -> queue -> start -> curl -> on_header, on_body -> ring -> transfer_next()
 *
 * Bulk transfers speak HTTP/1.1: each then has a connection of its own, and a slow
 * reader holds back its own TCP window and nothing else. Over one HTTP/2 connection
 * curl would have to buffer up to 32 MiB for each paused stream.
 */
#include "registry/http/http.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "registry/http/answer.h"
#include "registry/http/queue.h"
#include "registry/image/reference.h"
#include "registry/http/transfer.h"

#define CONNECTIONS_DEFAULT 8
#define CONNECT_SECONDS	    10L
#define SPARES_MAX	    6 /* 12 MiB of rings */

struct http {
	pthread_mutex_t lock; /* guards what follows up to the mark */
	bool has_thread, stop;
	pthread_t thread;
	/* from here on there is no need of it */
	struct queue queue;
	CURLM *multi;
	uint64_t requests, bytes, errors, retries; /* atomic */
	/* the thread's alone */
	struct transfer *running;
};

/* What curl calls, in the transfer thread */

static void head_is_whole(struct transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return; /* "100 Continue" and its like: another head follows */
	t->head.status = (int)status;
	/* 401 and 404 are answers: log in, and there is none, as of most referrers. */
	if (status >= 400 && status != 401 && status != 404)
		__atomic_fetch_add(&t->http->errors, 1, __ATOMIC_RELAXED);
	transfer_show_head(t);
}

static size_t on_header(char *line, size_t one, size_t len, void *arg)
{
	struct transfer *t = arg;

	(void)one;
	if (!t->has_head && answer_line(&t->head, line, len)) /* else they are trailers */
		head_is_whole(t);
	return len;
}

static size_t on_body(char *data, size_t one, size_t len, void *arg)
{
	struct transfer *t = arg;
	int rc = transfer_put(t, data, len);

	(void)one;
	if (rc == -EAGAIN) /* curl keeps the piece, at most 16 KiB */
		return CURL_WRITEFUNC_PAUSE;
	if (rc < 0)
		return len + 1; /* ends the transfer */
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

/* Out of curl and off the running. */
static void stop(struct http *h, struct transfer *t)
{
	struct transfer **p;

	curl_multi_remove_handle(h->multi, t->easy);
	for (p = &h->running; *p != t; p = &(*p)->next)
		;
	*p = t->next;
	host_leave(t->host, t->bulk);
}

static void end(struct http *h, struct transfer *t, CURLcode code)
{
	stop(h, t);
	if (code != CURLE_OK)
		__atomic_fetch_add(&h->errors, 1, __ATOMIC_RELAXED);
	else
		host_note_alive(t->host);
	if (!t->why[0])
		snprintf(t->why, sizeof(t->why), "%s", curl_easy_strerror(code));
	transfer_finish(t, code == CURLE_OK && !t->has_head ? -EIO : code_of(code));
}

static void start(struct http *h, struct transfer *t)
{
	t->next = h->running;
	h->running = t;
	host_enter(t->host, t->bulk);
	transfer_start(t);
	__atomic_fetch_add(&h->requests, 1, __ATOMIC_RELAXED);
	if (curl_multi_add_handle(h->multi, t->easy) != CURLM_OK)
		end(h, t, CURLE_OUT_OF_MEMORY);
}

static void start_queued(struct http *h)
{
	struct transfer *t;
	enum turn turn;

	for (turn = TURN_SMALL; turn <= TURN_SPARE; turn++) {
		while ((t = queue_take(&h->queue, turn))) {
			if (transfer_is_closed(t))
				transfer_finish(t, -ECANCELED);
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
		enum transfer_wish wish = transfer_wish(t);

		next = t->next;
		if (wish == TRANSFER_END) {
			stop(h, t);
			transfer_finish(t, -ECANCELED);
		} else if (wish == TRANSFER_RESUME) {
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
	bool is_over = false;
	int still;

	while (!is_over) {
		start_queued(h);
		serve_readers(h);
		curl_multi_perform(h->multi, &still);
		reap(h);
		start_queued(h);
		curl_multi_poll(h->multi, NULL, 0, 1000, NULL);
		pthread_mutex_lock(&h->lock);
		is_over = h->stop;
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
	queue_init(&h->queue, connections ? connections : CONNECTIONS_DEFAULT);
	h->multi = curl_multi_init();
	if (!h->multi) {
		http_free(h);
		return err_set(e, -ENOMEM, "out of memory");
	}
	curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
			  (long)h->queue.connections);
	*out = h;
	return 0;
}

void http_free(struct http *h)
{
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
	queue_release(&h->queue);
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
		secret_free(line);
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

_Static_assert(TRANSFER_WHY_MAX >= CURL_ERROR_SIZE, "curl writes into it");

static int set_up(struct transfer *t, const struct http_request *rq)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		return -ENOMEM;
	t->easy = easy;
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

void http_wake(struct http *h)
{
	curl_multi_wakeup(h->multi);
}

void http_drop_handle(struct transfer *t)
{
	if (t->easy)
		curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
}

/* Its handle is set up: on its way. */
static int enqueue(struct http *h, struct transfer *t, struct err *e)
{
	int rc;

	pthread_mutex_lock(&h->lock);
	rc = ensure_thread(h, e);
	pthread_mutex_unlock(&h->lock);
	if (rc < 0)
		return rc;
	rc = queue_add(&h->queue, t);
	if (rc < 0)
		return err_set(e, rc, "out of memory");
	curl_multi_wakeup(h->multi);
	return 0;
}

int http_begin(struct http *h, const struct http_request *rq, struct transfer **out,
	       struct err *e)
{
	struct transfer *t = NULL;
	int rc;

	if (rq->spare &&
	    __atomic_load_n(&h->queue.spares, __ATOMIC_RELAXED) >= SPARES_MAX)
		return -EAGAIN;
	rc = transfer_new(h, &h->queue, rq, &t);
	if (rc == 0)
		rc = set_up(t, rq);
	if (rc < 0)
		err_set(e, rc,
			rc == -EINVAL ? "not a URL that can be asked: %.200s"
				      : "out of memory",
			rq->url);
	else
		rc = enqueue(h, t, e);
	if (rc == 0)
		*out = t;
	else if (t)
		transfer_free(t);
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
	    (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0)) {
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
