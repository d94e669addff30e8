/* SPDX-License-Identifier: MIT */
/*
 * One thread owns the curl multi handle and all easy handles; other threads hand it
 * transfers through a queue (queue.h) and wait on the transfer's condition
 * (transfer.h).
 *
 *	http_open() -> queue -> start -> curl -> on_header, on_body -> ring -> transfer_next()
 *
 * Bulk transfers use HTTP/1.1: each has its own connection, and a slow reader holds
 * back its own TCP window and nothing else. On a shared HTTP/2 connection, curl would
 * have to buffer up to 32 MiB for each paused stream.
 *
 * curl parses the header. A callback only finds its end, for which curl has no other
 * sign before the body. CURLINFO_CONTENT_LENGTH_DOWNLOAD_T is set later than that.
 */
#include "registry/http/http.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
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
#include "registry/http/ending.h"
#include "registry/http/host.h"
#include "registry/http/internal.h"
#include "registry/http/queue.h"
#include "registry/http/url.h"
#include "registry/image/reference.h"

#define CONNECT_SECONDS 10L
#define SPARES_MAX	6 /* 12 MiB of rings */

struct http {
	struct transfer_driver driver;
	pthread_mutex_t lock;
	bool has_thread, stop; /* under the lock */
	struct ending ending;  /* of all transfers */
	pthread_t thread;
	struct queue queue;
	CURLM *multi;
	uint64_t requests, bytes, errors, retries; /* atomic */
	unsigned spares;	  /* spare transfers that exist, queued or not; atomic */
	struct transfer *running; /* the thread's */
};

static struct http *http_of(const struct transfer_driver *d)
{
	return (struct http *)(void *)((char *)(void *)d - offsetof(struct http, driver));
}

/* What curl calls, in the transfer thread */

static void copy_head(struct transfer *t)
{
	struct curl_header *field;
	const char *name;
	size_t i, n;

	for (i = 0; (name = head_field(i)); i++) {
		n = 0;
		while (curl_easy_header(t->easy, name, n++, CURLH_HEADER, -1, &field) ==
		       CURLHE_OK)
			head_add(&t->head, i, field->value);
	}
	/* curl would take the 880 of "880.092µs", which Docker and GitHub send, for seconds. */
	if (curl_easy_header(t->easy, "Retry-After", 0, CURLH_HEADER, -1, &field) ==
		    CURLHE_OK &&
	    (isalpha((unsigned char)field->value[0]) ||
	     field->value[strspn(field->value, "0123456789")] == '\0'))
		curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &t->head.retry_after);
}

static void on_head_end(struct transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return; /* "100 Continue" and the like: another head follows */
	t->head.status = (int)status;
	copy_head(t);
	/* 401 asks for a login, and 404 is the usual answer about referrers. */
	if (status >= 400 && status != 401 && status != 404)
		__atomic_fetch_add(&http_of(t->driver)->errors, 1, __ATOMIC_RELAXED);
	transfer_show_head(t);
}

static size_t on_header(char *line, size_t one, size_t len, void *arg)
{
	struct transfer *t = arg;

	(void)one;
	/* the empty line; what follows a head are trailers */
	if (!t->has_head && len <= 2 && (line[0] == '\r' || line[0] == '\n'))
		on_head_end(t);
	return len;
}

static size_t on_body(char *data, size_t one, size_t len, void *arg)
{
	struct transfer *t = arg;
	int rc = transfer_put(t, data, len);

	(void)one;
	if (rc == -EAGAIN) /* curl keeps the piece, 16 KiB at most */
		return CURL_WRITEFUNC_PAUSE;
	if (rc < 0)
		return len + 1; /* ends the transfer */
	__atomic_fetch_add(&http_of(t->driver)->bytes, len, __ATOMIC_RELAXED);
	return len;
}

/* The transfer thread */

static int errno_of(CURLcode code)
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

static void stop_transfer(struct http *h, struct transfer *t)
{
	struct transfer **p;

	curl_multi_remove_handle(h->multi, t->easy);
	for (p = &h->running; *p != t; p = &(*p)->next)
		;
	*p = t->next;
	host_leave(t->host, t->bulk);
}

/* curl calls a line of more than 100 KiB in a head a lack of memory. */
static CURLcode explain_long_line(struct transfer *t, CURLcode code)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OUT_OF_MEMORY || status == 0 || t->has_head)
		return code;
	snprintf(t->why, sizeof(t->why),
		 "it answers with a header line that is too long");
	return CURLE_RECV_ERROR;
}

static void end_transfer(struct http *h, struct transfer *t, CURLcode code)
{
	stop_transfer(h, t);
	code = explain_long_line(t, code);
	if (code != CURLE_OK)
		__atomic_fetch_add(&h->errors, 1, __ATOMIC_RELAXED);
	else
		host_note_alive(t->host);
	if (!t->why[0])
		snprintf(t->why, sizeof(t->why), "%s", curl_easy_strerror(code));
	transfer_finish(t, code == CURLE_OK && !t->has_head ? -EIO : errno_of(code));
}

static void start_transfer(struct http *h, struct transfer *t)
{
	t->next = h->running;
	h->running = t;
	host_enter(t->host, t->bulk);
	transfer_start(t);
	__atomic_fetch_add(&h->requests, 1, __ATOMIC_RELAXED);
	if (curl_multi_add_handle(h->multi, t->easy) != CURLM_OK)
		end_transfer(h, t, CURLE_OUT_OF_MEMORY);
}

static void start_queued(struct http *h)
{
	struct transfer *t;
	enum turn turn;

	for (turn = TURN_SMALL; turn <= TURN_SPARE; turn++) {
		while ((t = queue_take(&h->queue, turn))) {
			if (transfer_is_closed(t) || ending_is_over(&h->ending))
				transfer_finish(t, -ECANCELED);
			else
				start_transfer(h, t);
		}
	}
}

/* Resumes and aborts transfers as their readers asked since the last round. */
static void serve_readers(struct http *h)
{
	struct transfer *t, *next;

	for (t = h->running; t; t = next) {
		enum transfer_wish wish = transfer_wish(t);

		next = t->next;
		if (wish == TRANSFER_END || ending_is_over(&h->ending)) {
			stop_transfer(h, t);
			transfer_finish(t, -ECANCELED);
		} else if (wish == TRANSFER_RESUME) {
			curl_easy_pause(t->easy, CURLPAUSE_CONT);
		}
	}
}

static void reap_transfers(struct http *h)
{
	struct transfer *t;
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(h->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		end_transfer(h, t, msg->data.result);
	}
}

static void *http_run(void *arg)
{
	struct http *h = arg;
	bool is_over = false;
	int still;

	while (!is_over) {
		start_queued(h);
		serve_readers(h);
		curl_multi_perform(h->multi, &still);
		reap_transfers(h);
		start_queued(h);
		curl_multi_poll(h->multi, NULL, 0, 1000, NULL);
		pthread_mutex_lock(&h->lock);
		is_over = h->stop;
		pthread_mutex_unlock(&h->lock);
	}
	return NULL;
}

/* The first request starts the thread, so that the program can fork before. */
static int ensure_thread(struct http *h, struct err *e)
{
	sigset_t all, old;
	int rc;

	if (h->has_thread)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = -pthread_create(&h->thread, NULL, http_run, h);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc < 0)
		return err_set(e, rc, "cannot start a thread: %s", strerror(-rc));
	h->has_thread = true;
	return 0;
}

/* What transfers ask for (internal.h) */

static void driver_wake(const struct transfer_driver *d)
{
	curl_multi_wakeup(http_of(d)->multi);
}

static void driver_move_up(const struct transfer_driver *d, struct transfer *t)
{
	queue_move_up(&http_of(d)->queue, t);
	driver_wake(d);
}

static void driver_drop(const struct transfer_driver *d, struct transfer *t)
{
	if (t->is_spare)
		__atomic_fetch_sub(&http_of(d)->spares, 1, __ATOMIC_RELAXED);
	if (t->easy)
		curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
}

int http_new(unsigned connections, struct http **out, struct err *e)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(h);
		return err_set(e, -ENOMEM, "out of memory");
	}
	h->driver = (struct transfer_driver){driver_wake, driver_move_up, driver_drop};
	pthread_mutex_init(&h->lock, NULL);
	ending_init(&h->ending);
	queue_init(&h->queue, connections);
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
		start_queued(h); /* frees what was closed before the thread saw it */
		serve_readers(h);
	}
	curl_multi_cleanup(h->multi);
	curl_global_cleanup();
	queue_release(&h->queue);
	ending_release(&h->ending);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

void http_cancel(struct http *h)
{
	ending_begin(&h->ending);
	curl_multi_wakeup(h->multi);
}

bool http_sleep(struct http *h, int64_t ms)
{
	return ending_sleep(&h->ending, ms);
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

/* Setting up a request */

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
	struct buf line;
	int rc;

	buf_init(&line, 2u << 20); /* tokens have up to 1 MiB */
	rc = buf_printf(&line, "%s: %s", name, value);
	if (rc == 0)
		rc = add_line(t, line.data);
	secret_release(&line);
	return rc;
}

static int set_headers(struct transfer *t, const struct http_request *rq)
{
	static const struct http_upload none = {.method = NULL};
	const char *const *own = rq->tls ? rq->tls->headers : NULL;
	const struct http_upload *up = rq->upload ? rq->upload : &none;
	const struct {
		const char *name, *value;
	} fields[] = {
		{"Accept", rq->accept},
		/* Compressed, the body would have other byte offsets. */
		{"Accept-Encoding", "identity"},
		{"Authorization", rq->authorization},
		{"Referer", rq->referer},
		/* curl would ask for leave to send, which costs a round trip. */
		{"Expect", rq->upload ? "" : NULL},
		{"Content-Type", up->type},
		{"Content-Range", up->range},
		{"If-Match", up->if_match},
	};
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]) && rc == 0; i++)
		rc = fields[i].value ? add_header(t, fields[i].name, fields[i].value) : 0;
	if (rc == 0 && rq->authorization)
		rc = transfer_keep_credential(t, rq->authorization);
	if (rc == 0 && rq->form)
		rc = transfer_keep_form(t, rq->form);
	for (; rc == 0 && own && *own; own++) {
		const char *value = *own + strcspn(*own, ":");

		/* The answer to a challenge takes precedence over the configuration. */
		if (!rq->authorization || strncasecmp(*own, "Authorization:", 14) != 0)
			rc = add_line(t, *own);
		if (rc == 0)
			rc = transfer_keep_credential(t, value + strspn(value, ": "));
	}
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	return rc;
}

static void set_tls(CURL *easy, const struct http_tls *tls)
{
	if (!tls)
		return;
	/*
	 * This replaces the system's file of certificates, but not its directory
	 * (CURLOPT_CAPATH), which has the same ones.
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
	const struct http_upload *up = rq->upload;
	char range[48];

	if (rq->head)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (rq->form)
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, rq->form);
	if (up) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)up->len);
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, up->data ? up->data : "");
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, up->method);
	}
	snprintf(range, sizeof(range),
		 rq->last == HTTP_TO_THE_END ? "%" PRIu64 "-" : "%" PRIu64 "-%" PRIu64,
		 rq->first, rq->last);
	if (rq->has_range)
		curl_easy_setopt(easy, CURLOPT_RANGE, range);
}

_Static_assert(TRANSFER_WHY_MAX >= CURL_ERROR_SIZE, "curl writes into it");

static int set_up_transfer(struct transfer *t, const struct http_request *rq)
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
	/* A proxy cannot reach our loopback interface. Go has the same rule. */
	if (reference_host_is_loopback(strstr(t->origin, "://") + 3))
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	set_tls(easy, rq->tls);
	if (rq->tls && rq->tls->connect_ms)
		curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
				 (long)rq->tls->connect_ms);
	set_body(easy, rq);
	return set_headers(t, rq);
}

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

static int new_transfer(struct http *h, const struct http_request *rq,
			struct transfer **out)
{
	struct buf origin;
	int rc;

	buf_init(&origin, HTTP_URL_MAX);
	rc = url_origin(rq->url, &origin);
	if (rc == 0)
		rc = transfer_new(&h->driver, rq->bulk, rq->spare, buf_take(&origin),
				  out);
	if (rc == 0 && rq->spare)
		__atomic_fetch_add(&h->spares, 1, __ATOMIC_RELAXED);
	buf_release(&origin);
	return rc;
}

int http_begin(struct http *h, const struct http_request *rq, struct transfer **out,
	       struct err *e)
{
	struct transfer *t = NULL;
	char shown[URL_SHOWN_MAX];
	int rc;

	if (ending_is_over(&h->ending))
		return err_set(e, -ECANCELED, "the mount ends");
	if (rq->spare && __atomic_load_n(&h->spares, __ATOMIC_RELAXED) >= SPARES_MAX)
		return -EAGAIN;
	rc = new_transfer(h, rq, &t);
	if (rc == 0)
		rc = set_up_transfer(t, rq);
	if (rc < 0)
		err_set(e, rc,
			rc == -EINVAL ? "not an http or https URL: %s" : "out of memory",
			url_show(rq->url, shown));
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
	if (rc == 0)
		*out = t;
	else
		transfer_close(t);
	return rc;
}
