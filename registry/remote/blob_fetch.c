/* SPDX-License-Identifier: MIT */
/*
 * What makes range requests work on every registry:
 *
 *  - The registry may redirect to a signed URL at a storage host. That URL is kept and used
 *    directly, by GET because it was signed for GET. When the storage refuses it (it has
 *    expired), the registry is asked again, once.
 *  - A 206 is accepted only if its Content-Range begins at the requested byte. A 200 is the
 *    whole blob from byte 0: the bytes before the requested ones are read and dropped.
 *  - Layers with URLs of their own (foreign layers) are requested there, without
 *    credentials, if the registry does not have them.
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
#include "registry/http/http.h"
#include "registry/http/redirect.h"
#include "registry/http/refusal.h"
#include "registry/image/descriptor.h"
#include "registry/remote/remote.h"

struct blob_fetch {
	struct remote *remote;
	uint64_t size;
	char what[sizeof("blobs/") + DIGEST_TEXT_MAX];
	char **urls;
	size_t n_urls;
	bool lacks_ranges; /* atomic */

	pthread_mutex_t lock;
	char *url; /* the last redirect to another host; NULL: none */
};

void blob_fetch_free(struct blob_fetch *f)
{
	size_t i;

	if (!f)
		return;
	for (i = 0; i < f->n_urls; i++)
		free(f->urls[i]);
	free(f->urls);
	free(f->url);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

int blob_fetch_new(struct remote *remote, const struct descriptor *d,
		   struct blob_fetch **out, struct err *e)
{
	struct blob_fetch *f = calloc(1, sizeof(*f));
	size_t i;

	if (!f)
		return err_set(e, -ENOMEM, "out of memory");
	pthread_mutex_init(&f->lock, NULL);
	f->remote = remote;
	f->size = d->size;
	strcpy(f->what, "blobs/");
	digest_format(&d->digest, f->what + strlen("blobs/"));
	f->urls = calloc(d->n_urls + 1, sizeof(*f->urls));
	for (i = 0; f->urls && i < d->n_urls; i++) {
		f->urls[i] = strdup(d->urls[i]);
		if (!f->urls[i])
			break;
		f->n_urls++;
	}
	if (!f->urls || f->n_urls < d->n_urls) {
		blob_fetch_free(f);
		return err_set(e, -ENOMEM, "out of memory");
	}
	*out = f;
	return 0;
}

struct remote *blob_fetch_remote(const struct blob_fetch *f)
{
	return f->remote;
}

bool blob_fetch_lacks_ranges(const struct blob_fetch *f)
{
	return __atomic_load_n(&f->lacks_ranges, __ATOMIC_RELAXED);
}

/* The URL outside the registry */

static char *copy_foreign_url(struct blob_fetch *f)
{
	char *url;

	pthread_mutex_lock(&f->lock);
	url = f->url ? strdup(f->url) : NULL;
	pthread_mutex_unlock(&f->lock);
	return url;
}

static void set_foreign_url(struct blob_fetch *f, const char *url)
{
	pthread_mutex_lock(&f->lock);
	free(f->url);
	f->url = url && url[0] ? strdup(url) : NULL;
	pthread_mutex_unlock(&f->lock);
}

static struct http_request foreign_request(const struct blob_fetch *f, const char *url,
					   const struct remote_request *rq)
{
	return (struct http_request){
		.url = url,
		.bulk = rq->bulk,
		.spare = rq->spare,
		.has_range = rq->has_range,
		.first = rq->first,
		.last = rq->last,
		.tls = remote_foreign_tls(f->remote),
	};
}

/* Requests the blob at a URL outside the registry. After a failure the caller goes on. */
static int request_foreign(struct blob_fetch *f, const char *url,
			   const struct remote_request *rq, int64_t *until,
			   struct transfer **out, struct err *e)
{
	struct http_request http = foreign_request(f, url, rq);
	int64_t try = remote_try_deadline(f->remote, *until), before = try;
	struct transfer *t = NULL;
	struct buf end;
	bool foreign;
	int rc;

	buf_init(&end, HTTP_URL_MAX);
	rc = http_follow(remote_http(f->remote), &http, http.tls, &try, &end, &foreign,
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

static int request_registry(struct blob_fetch *f, const struct remote_request *rq,
			    int64_t *until, struct transfer **out, struct err *e)
{
	struct err ignored;
	struct buf url;
	size_t i;
	int rc;

	buf_init(&url, HTTP_URL_MAX);
	rc = remote_open(f->remote, rq, until, &url, out, e);
	if (rc == 0)
		set_foreign_url(f, buf_text(&url));
	buf_release(&url);
	for (i = 0; rc == -ENOENT && i < f->n_urls; i++) {
		if (request_foreign(f, f->urls[i], rq, until, out, &ignored) == 0)
			rc = 0;
	}
	return rc;
}

/* Responses */

static int wrong_size(uint64_t theirs, uint64_t ours, struct err *e)
{
	return err_set(
		e, -EBADMSG,
		"the registry has %llu bytes of the blob, but the manifest says %llu",
		(unsigned long long)theirs, (unsigned long long)ours);
}

/* Checks that the response is the requested range or the whole blob. */
static int response_check(struct blob_fetch *f, struct response *p, struct err *e)
{
	const struct http_head *head = transfer_head(p->transfer);
	struct content_range range;
	int rc = refuse_coding(p->transfer, e);

	if (rc < 0)
		return rc;
	if (head->status == 200) {
		if (head->has_length && head->length != f->size)
			return wrong_size(head->length, f->size, e);
		if (p->at > 0 || p->end < f->size)
			__atomic_store_n(&f->lacks_ranges, true, __ATOMIC_RELAXED);
		p->skip = p->at;
		p->end = f->size;
		return 0;
	}
	if (!head->content_range || !content_range_parse(head->content_range, &range) ||
	    !range.has_range || range.first != p->at)
		return err_set(
			e, -EBADMSG,
			"the registry answers a request for byte %llu with the range "
			"\"%.60s\"",
			(unsigned long long)p->at,
			head->content_range ? head->content_range : "");
	return range.has_total && range.total != f->size
		       ? wrong_size(range.total, f->size, e)
		       : 0;
}

static struct remote_request range_request(const struct blob_fetch *f, uint64_t first,
					   uint64_t end)
{
	return (struct remote_request){
		.what = f->what,
		.has_range = first > 0 || end < f->size,
		.first = first,
		.last = end - 1,
	};
}

int blob_fetch_request(struct blob_fetch *f, uint64_t first, uint64_t end, bool bulk,
		       int64_t *until, struct response *out, struct err *e)
{
	struct remote_request rq = range_request(f, first, end);
	struct response p = {.at = first, .end = end};
	char *url = copy_foreign_url(f);
	int rc = -ENOENT;

	rq.bulk = bulk;
	if (url) {
		rc = request_foreign(f, url, &rq, until, &p.transfer, e);
		free(url);
	}
	if (rc < 0)
		rc = request_registry(f, &rq, until, &p.transfer, e);
	if (rc == 0)
		rc = response_check(f, &p, e);
	if (rc < 0)
		response_close(&p);
	else
		*out = p;
	return rc;
}

bool blob_fetch_speculate(struct blob_fetch *f, uint64_t first, uint64_t end,
			  struct response *out)
{
	struct remote_request rq = range_request(f, first, end);
	struct response p = {.at = first, .end = end};
	char *url = copy_foreign_url(f);
	struct http_request http;
	int rc;

	rq.bulk = rq.spare = true;
	if (url) {
		http = foreign_request(f, url, &rq);
		rc = http_begin(remote_http(f->remote), &http, &p.transfer, NULL);
		free(url);
	} else {
		rc = remote_begin(f->remote, &rq, &p.transfer);
	}
	if (rc == 0)
		*out = p;
	return rc == 0;
}

int response_await(struct blob_fetch *f, struct response *p, int64_t *until,
		   struct err *e)
{
	int64_t try = remote_try_deadline(f->remote, *until), before = try;
	uint64_t end = p->end;
	int rc = transfer_await(p->transfer, &try, e);

	*until += try - before;
	if (rc == 0 && transfer_head(p->transfer)->status != 206)
		rc = -EAGAIN;
	if (rc == 0)
		rc = response_check(f, p, e);
	if (rc < 0) {
		response_close(p);
		p->end = end;
	}
	return rc;
}

ssize_t response_next(struct blob_fetch *f, struct response *p, const void **data,
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

		n = transfer_next(p->transfer, data, most,
				  remote_try_deadline(f->remote, *until), e);
		if (n <= 0)
			return n;
		remote_note_progress(f->remote);
		*until = remote_deadline(f->remote);
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
