/* SPDX-License-Identifier: MIT */
/*
 * Asking for a range, right on every registry:
 *
 *  - Blobs live elsewhere: the registry redirects to a signed URL of a store. That URL
 *    is kept and asked directly, by GET as it was signed for GET; when the store says no
 *    (it has expired) the registry is asked again, once.
 *  - A 206 counts only if its Content-Range begins where we asked. A 200 is the whole
 *    blob from byte 0: what comes before our range is read and dropped, never shown.
 *  - Layers with URLs of their own (foreign layers) are asked there, as nobody, when
 *    the registry does not have them.
 */
#include "registry/remote/blob_fetch.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/http/fields.h"
#include "registry/http/redirect.h"
#include "registry/http/http.h"
#include "registry/image/descriptor.h"
#include "registry/http/refusal.h"
#include "registry/remote/remote.h"

struct blob_fetch {
	struct remote *remote;
	uint64_t size;
	char what[sizeof("blobs/") + DIGEST_TEXT_MAX];
	char **urls;
	size_t n_urls;
	bool whole_only; /* atomic */

	pthread_mutex_t lock;
	char *url; /* where the registry redirected to last; NULL: nowhere else */
};

void blob_fetch_free(struct blob_fetch *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->n_urls; i++)
		free(s->urls[i]);
	free(s->urls);
	free(s->url);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int blob_fetch_new(struct remote *remote, const struct descriptor *d,
		   struct blob_fetch **out, struct err *e)
{
	struct blob_fetch *s = calloc(1, sizeof(*s));
	size_t i;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	pthread_mutex_init(&s->lock, NULL);
	s->remote = remote;
	s->size = d->size;
	strcpy(s->what, "blobs/");
	digest_format(&d->digest, s->what + strlen("blobs/"));
	s->urls = calloc(d->n_urls + 1, sizeof(*s->urls));
	for (i = 0; s->urls && i < d->n_urls; i++) {
		s->urls[i] = strdup(d->urls[i]);
		if (!s->urls[i])
			break;
		s->n_urls++;
	}
	if (!s->urls || s->n_urls < d->n_urls) {
		blob_fetch_free(s);
		return err_set(e, -ENOMEM, "out of memory");
	}
	*out = s;
	return 0;
}

struct remote *blob_fetch_remote(const struct blob_fetch *s)
{
	return s->remote;
}

bool blob_fetch_is_whole_only(const struct blob_fetch *s)
{
	return __atomic_load_n(&s->whole_only, __ATOMIC_RELAXED);
}

/* The URL outside the registry */

static char *get_url(struct blob_fetch *s)
{
	char *url;

	pthread_mutex_lock(&s->lock);
	url = s->url ? strdup(s->url) : NULL;
	pthread_mutex_unlock(&s->lock);
	return url;
}

static void set_url(struct blob_fetch *s, const char *url)
{
	pthread_mutex_lock(&s->lock);
	free(s->url);
	s->url = url && url[0] ? strdup(url) : NULL;
	pthread_mutex_unlock(&s->lock);
}

static struct http_request request_elsewhere(const struct blob_fetch *s, const char *url,
					     const struct remote_request *rq)
{
	return (struct http_request){
		.url = url,
		.bulk = rq->bulk,
		.spare = rq->spare,
		.has_range = rq->has_range,
		.first = rq->first,
		.last = rq->last,
		.tls = remote_elsewhere(s->remote),
	};
}

/* The blob at a URL outside the registry. Any failure: the caller has another way. */
static int ask_elsewhere(struct blob_fetch *s, const char *url,
			 const struct remote_request *rq, int64_t *until,
			 struct transfer **out, struct err *e)
{
	struct http_request http = request_elsewhere(s, url, rq);
	int64_t try = remote_try(s->remote, *until), before = try;
	struct transfer *t = NULL;
	struct buf end;
	bool foreign;
	int rc;

	buf_init(&end, HTTP_URL_MAX);
	rc = http_follow(remote_http(s->remote), &http, http.tls, &try, &end, &foreign,
			 &t, e);
	*until += try - before;
	buf_release(&end);
	if (rc == 0 && transfer_head(t)->status != 200 &&
	    transfer_head(t)->status != 206) {
		rc = refusal(t, "a host outside the registry", try, e);
		transfer_close(t);
	}
	if (rc == 0)
		*out = t;
	return rc;
}

static int ask_registry(struct blob_fetch *s, const struct remote_request *rq,
			int64_t *until, struct transfer **out, struct err *e)
{
	struct err ignored;
	struct buf url;
	size_t i;
	int rc;

	buf_init(&url, HTTP_URL_MAX);
	rc = remote_open(s->remote, rq, until, &url, out, e);
	if (rc == 0)
		set_url(s, buf_text(&url));
	buf_release(&url);
	for (i = 0; rc == -ENOENT && i < s->n_urls; i++) {
		if (ask_elsewhere(s, s->urls[i], rq, until, out, &ignored) == 0)
			rc = 0;
	}
	return rc;
}

/* The answer */

static int wrong_size(uint64_t theirs, uint64_t ours, struct err *e)
{
	return err_set(e, -EBADMSG,
		       "the registry has %llu bytes of it, the manifest says %llu",
		       (unsigned long long)theirs, (unsigned long long)ours);
}

/* Is it what was asked for, byte for byte? */
static int check_head(struct blob_fetch *s, struct response *p, struct err *e)
{
	const struct http_head *head = transfer_head(p->transfer);
	struct content_range range;
	int rc = refuse_coding(p->transfer, e);

	if (rc < 0)
		return rc;
	if (head->status == 200) {
		if (head->has_length && head->length != s->size)
			return wrong_size(head->length, s->size, e);
		if (p->at > 0 || p->end < s->size)
			__atomic_store_n(&s->whole_only, true, __ATOMIC_RELAXED);
		p->skip = p->at;
		p->end = s->size;
		return 0;
	}
	if (!head->content_range || !content_range_parse(head->content_range, &range) ||
	    !range.has_range || range.first != p->at)
		return err_set(
			e, -EBADMSG,
			"the registry answers the request for byte %llu with the range "
			"\"%.60s\"",
			(unsigned long long)p->at,
			head->content_range ? head->content_range : "");
	return range.has_total && range.total != s->size
		       ? wrong_size(range.total, s->size, e)
		       : 0;
}

static struct remote_request request_for(const struct blob_fetch *s, uint64_t first,
					 uint64_t end)
{
	return (struct remote_request){
		.what = s->what,
		.has_range = first > 0 || end < s->size,
		.first = first,
		.last = end - 1,
	};
}

int blob_fetch_ask(struct blob_fetch *s, uint64_t first, uint64_t end, bool bulk,
		   int64_t *until, struct response *out, struct err *e)
{
	struct remote_request rq = request_for(s, first, end);
	struct response p = {.at = first, .end = end};
	char *url = get_url(s);
	int rc = -ENOENT;

	rq.bulk = bulk;
	if (url) {
		rc = ask_elsewhere(s, url, &rq, until, &p.transfer, e);
		free(url);
	}
	if (rc < 0)
		rc = ask_registry(s, &rq, until, &p.transfer, e);
	if (rc == 0)
		rc = check_head(s, &p, e);
	if (rc < 0)
		response_close(&p);
	else
		*out = p;
	return rc;
}

bool blob_fetch_bet(struct blob_fetch *s, uint64_t first, uint64_t end,
		    struct response *out)
{
	struct remote_request rq = request_for(s, first, end);
	struct response p = {.at = first, .end = end};
	char *url = get_url(s);
	struct http_request http;
	int rc;

	rq.bulk = rq.spare = true;
	if (url) {
		http = request_elsewhere(s, url, &rq);
		rc = http_begin(remote_http(s->remote), &http, &p.transfer, NULL);
		free(url);
	} else {
		rc = remote_begin(s->remote, &rq, &p.transfer);
	}
	if (rc == 0)
		*out = p;
	return rc == 0;
}

int response_await(struct blob_fetch *s, struct response *p, int64_t *until,
		   struct err *e)
{
	int64_t try = remote_try(s->remote, *until), before = try;
	uint64_t end = p->end;
	int rc = transfer_await(p->transfer, &try, e);

	*until += try - before;
	if (rc == 0 && transfer_head(p->transfer)->status != 206)
		rc = -EAGAIN;
	if (rc == 0)
		rc = check_head(s, p, e);
	if (rc < 0) {
		response_close(p);
		p->end = end;
	}
	return rc;
}

ssize_t response_next(struct blob_fetch *s, struct response *p, const void **data,
		      int64_t *until, struct err *e)
{
	uint64_t left = p->end - p->at;
	ssize_t n;

	if (left == 0)
		return 0;
	if (left > SSIZE_MAX)
		left = SSIZE_MAX;
	for (;;) {
		size_t most = (size_t)(p->skip && p->skip < left ? p->skip : left);

		n = transfer_next(p->transfer, data, most, remote_try(s->remote, *until),
				  e);
		if (n <= 0)
			return n;
		remote_came(s->remote);
		*until = remote_deadline(s->remote);
		if (p->skip == 0)
			break;
		p->skip -= (uint64_t)n;
	}
	p->at += (uint64_t)n;
	return n;
}

void response_close(struct response *p)
{
	transfer_close(p->transfer);
	p->transfer = NULL;
}
