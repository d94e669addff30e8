/* SPDX-License-Identifier: MIT */
/*
 * What makes range requests work on every registry:
 *
 *  - The registry may redirect to a signed URL at a storage host. That URL is kept and used
 *    directly, by GET because it was signed for GET. When the storage refuses it (it has
 *    expired) or answers wrongly, the registry is asked for a new one, which may lead to another
 *    machine. So it is when the same bytes are requested again: perhaps they were wrong.
 *  - A part is accepted only if its Content-Range begins at the requested byte. A 200 without
 *    one is the whole blob from byte 0: the bytes before the requested ones are read and
 *    dropped.
 *  - What is neither is a fault of transport (-EBADE), a word about the blob it is not.
 *  - Layers with URLs of their own (foreign layers) are requested there, without
 *    credentials, if the registry does not have them.
 */
#include "registry/remote/blob_fetch.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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
	char *url;	/* the last redirect to another host; NULL: none */
	char *referer;	/* for it; may be NULL */
	uint64_t first; /* of the last request to it */
};

static void set_foreign_url(struct blob_fetch *f, const char *url, const char *referer)
{
	pthread_mutex_lock(&f->lock);
	free(f->url);
	free(f->referer);
	f->url = url ? strdup(url) : NULL;
	f->referer = referer && referer[0] ? strdup(referer) : NULL;
	pthread_mutex_unlock(&f->lock);
}

void blob_fetch_free(struct blob_fetch *f)
{
	size_t i;

	if (!f)
		return;
	for (i = 0; i < f->n_urls; i++)
		free(f->urls[i]);
	free(f->urls);
	set_foreign_url(f, NULL, NULL);
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
	f->first = UINT64_MAX;
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

/* The URL and Referer for a request of @first, in new texts, or false. */
static bool copy_foreign_url(struct blob_fetch *f, uint64_t first, char **url,
			     char **referer)
{
	pthread_mutex_lock(&f->lock);
	*url = f->url && f->first != first ? strdup(f->url) : NULL;
	*referer = *url && f->referer ? strdup(f->referer) : NULL;
	f->first = first;
	pthread_mutex_unlock(&f->lock);
	return *url != NULL;
}

static struct http_request foreign_request(const struct blob_fetch *f, const char *url,
					   const char *referer,
					   const struct remote_request *rq)
{
	return (struct http_request){
		.url = url,
		.referer = referer,
		.bulk = rq->bulk,
		.spare = rq->spare,
		.has_range = rq->has_range,
		.first = rq->first,
		.last = rq->last,
		.tls = remote_foreign_tls(f->remote),
	};
}

/* Requests the blob at a URL outside the registry. After a failure the caller goes on. */
static int request_foreign(struct blob_fetch *f, const char *url, const char *referer,
			   const struct remote_request *rq, int64_t *until,
			   struct transfer **out, struct err *e)
{
	struct http_request http = foreign_request(f, url, referer, rq);
	int64_t try = remote_try_deadline(f->remote, *until), before = try;
	struct transfer *t = NULL;
	struct place place;
	int rc;

	place_init(&place);
	rc = http_follow(remote_http(f->remote), &http, http.tls, &try, &place, &t, e);
	*until += try - before;
	place_release(&place);
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
	struct place place;
	size_t i;
	int rc;

	place_init(&place);
	rc = remote_open(f->remote, rq, until, &place, out, e);
	if (rc == 0 && place.foreign)
		set_foreign_url(f, buf_text(&place.url), buf_text(&place.referer));
	else if (rc == 0)
		set_foreign_url(f, NULL, NULL);
	place_release(&place);
	for (i = 0; rc == -ENOENT && i < f->n_urls; i++) {
		if (request_foreign(f, f->urls[i], NULL, rq, until, out, &ignored) == 0)
			rc = 0;
	}
	return rc;
}

/* Responses */

static int wrong_size(uint64_t theirs, uint64_t ours, struct err *e)
{
	return err_set(
		e, -EBADE,
		"the registry has %llu bytes of the blob, but the manifest says %llu",
		(unsigned long long)theirs, (unsigned long long)ours);
}

/*
 * The length of the body that the head promises, judged against @want. A store may call a blob
 * gzip-encoded because it is a gzip file; then the length is the blob's own.
 */
static int check_length(const struct response *p, uint64_t want, struct err *e)
{
	const struct http_head *head = transfer_head(p->transfer);
	bool is_right = !head->has_length || head->length == want;
	int rc = refuse_coding(p->transfer, e);

	if (rc < 0 && is_right && is_gzip_coding(head->content_encoding))
		rc = 0;
	return rc < 0 || is_right ? rc : wrong_size(head->length, want, e);
}

/* Checks that the response is the requested range or the whole blob; else -EBADE. */
static int response_check(struct blob_fetch *f, struct response *p, struct err *e)
{
	const struct http_head *head = transfer_head(p->transfer);
	struct content_range range;
	bool is_part = head->content_range &&
		       content_range_parse(head->content_range, &range) &&
		       range.has_range && range.first == p->at;

	/* A known proxy sends parts with status 200. */
	if (head->status == 200 && !is_part) {
		int rc = check_length(p, f->size, e);

		if (rc == 0 && (p->at > 0 || p->end < f->size))
			__atomic_store_n(&f->lacks_ranges, true, __ATOMIC_RELAXED);
		if (rc == 0) {
			p->skip = p->at;
			p->end = f->size;
		}
		return rc;
	}
	if (!is_part)
		return err_set(
			e, -EBADE,
			"the registry answers a request for byte %llu with the range "
			"\"%.60s\"",
			(unsigned long long)p->at,
			head->content_range ? head->content_range : "");
	if (range.has_total && range.total != f->size)
		return wrong_size(range.total, f->size, e);
	__atomic_store_n(&f->lacks_ranges, false, __ATOMIC_RELAXED);
	return check_length(p, range.last - range.first + 1, e);
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
	char *url, *referer;
	int rc = -ENOENT;

	rq.bulk = bulk;
	if (copy_foreign_url(f, first, &url, &referer)) {
		rc = request_foreign(f, url, referer, &rq, until, &p.transfer, e);
		if (rc == 0)
			rc = response_check(f, &p, e);
		if (rc < 0)
			response_close(&p);
		free(url);
		free(referer);
	}
	if (rc < 0) {
		p.end = end;
		rc = request_registry(f, &rq, until, &p.transfer, e);
		if (rc == 0)
			rc = response_check(f, &p, e);
		if (rc == -EBADE)
			set_foreign_url(f, NULL, NULL);
	}
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
	char *url, *referer;
	struct http_request http;
	int rc;

	rq.bulk = rq.spare = true;
	if (copy_foreign_url(f, first, &url, &referer)) {
		http = foreign_request(f, url, referer, &rq);
		rc = http_begin(remote_http(f->remote), &http, &p.transfer, NULL);
		free(url);
		free(referer);
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
