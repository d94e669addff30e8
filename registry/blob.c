/* SPDX-License-Identifier: MIT */
/*
 * Reading a range of a blob, right on every registry:
 *
 *  - Blobs live elsewhere: the registry redirects to a signed URL of a store. That URL
 *    is kept and asked directly, by GET as it was signed for GET; when the store says no
 *    (it has expired) the registry is asked again, once.
 *  - A 206 counts only if its Content-Range begins where we asked. A 200 is the whole
 *    blob from byte 0: what comes before our range is read and dropped, never shown.
 *  - A transfer that breaks off, stalls or ends early goes on at the byte reached.
 *    Every wait has a deadline; each byte that comes moves it.
 *  - Layers with URLs of their own (foreign layers) are asked there, as nobody, when
 *    the registry does not have them.
 */
#include "registry/blob.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/source.h"
#include "registry/fields.h"
#include "registry/follow.h"
#include "registry/http.h"
#include "registry/refusal.h"
#include "registry/remote.h"
#include "registry/retry.h"

struct blob {
	struct source source;
	struct remote *remote;
	char what[sizeof("blobs/") + DIGEST_TEXT_MAX];
	char **urls;
	size_t n_urls;

	pthread_mutex_t lock;
	char *url; /* where the registry redirected to last; NULL: nowhere else */
};

/* One answer being read, from the byte that was asked for. */
struct reading {
	struct transfer *transfer;
	uint64_t skip; /* bytes to drop before it: the server ignored the range */
};

/* Asking */

static char *get_url(struct blob *b)
{
	char *url;

	pthread_mutex_lock(&b->lock);
	url = b->url ? strdup(b->url) : NULL;
	pthread_mutex_unlock(&b->lock);
	return url;
}

static void set_url(struct blob *b, const char *url)
{
	pthread_mutex_lock(&b->lock);
	free(b->url);
	b->url = url && url[0] ? strdup(url) : NULL;
	pthread_mutex_unlock(&b->lock);
}

/* The blob at a URL outside the registry. Any failure: the caller has another way. */
static int ask_elsewhere(struct blob *b, const char *url, const struct remote_request *rq,
			 int64_t *until, struct transfer **out, struct err *e)
{
	struct http_request http = {
		.url = url,
		.bulk = rq->bulk,
		.has_range = rq->has_range,
		.first = rq->first,
		.last = rq->last,
		.tls = remote_elsewhere(b->remote),
	};
	int64_t try = remote_try(b->remote, *until), before = try;
	struct transfer *t = NULL;
	struct buf end;
	bool foreign;
	int rc;

	buf_init(&end, HTTP_URL_MAX);
	rc = http_follow(remote_http(b->remote), &http, http.tls, &try, &end, &foreign,
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

static int ask_registry(struct blob *b, const struct remote_request *rq, int64_t *until,
			struct transfer **out, struct err *e)
{
	struct err ignored;
	struct buf url;
	size_t i;
	int rc;

	buf_init(&url, HTTP_URL_MAX);
	rc = remote_open(b->remote, rq, until, &url, out, e);
	if (rc == 0)
		set_url(b, buf_text(&url));
	buf_release(&url);
	for (i = 0; rc == -ENOENT && i < b->n_urls; i++) {
		if (ask_elsewhere(b, b->urls[i], rq, until, out, &ignored) == 0)
			rc = 0;
	}
	return rc;
}

/* Is it what was asked for, byte for byte? */
static int check_head(const struct blob *b, const struct http_head *head, uint64_t first,
		      uint64_t *skip, struct err *e)
{
	uint64_t size = b->source.size;
	struct content_range range;

	if (head->status == 200) {
		if (head->has_length && head->length != size)
			return err_set(e, -EBADMSG,
				       "the registry has %llu bytes of it, the manifest "
				       "says %llu",
				       (unsigned long long)head->length,
				       (unsigned long long)size);
		*skip = first;
		return 0;
	}
	if (!head->content_range || !content_range_parse(head->content_range, &range) ||
	    !range.has_range || range.first != first)
		return err_set(
			e, -EBADMSG,
			"the registry answers the request for byte %llu with the range "
			"\"%.60s\"",
			(unsigned long long)first,
			head->content_range ? head->content_range : "");
	if (range.has_total && range.total != size)
		return err_set(
			e, -EBADMSG,
			"the registry has %llu bytes of it, the manifest says %llu",
			(unsigned long long)range.total, (unsigned long long)size);
	*skip = 0;
	return 0;
}

static int reading_open(struct blob *b, uint64_t first, uint64_t last, bool bulk,
			int64_t *until, struct reading *out, struct err *e)
{
	struct remote_request rq = {
		.what = b->what,
		.bulk = bulk,
		.has_range = first > 0 || last != HTTP_TO_THE_END,
		.first = first,
		.last = last,
	};
	struct transfer *t = NULL;
	char *url = get_url(b);
	int rc = -ENOENT;

	if (url) {
		rc = ask_elsewhere(b, url, &rq, until, &t, e);
		free(url);
	}
	if (rc < 0)
		rc = ask_registry(b, &rq, until, &t, e);
	if (rc == 0)
		rc = refuse_coding(t, e);
	if (rc == 0)
		rc = check_head(b, transfer_head(t), first, &out->skip, e);
	if (rc < 0)
		transfer_close(t);
	else
		out->transfer = t;
	return rc;
}

static void reading_close(struct reading *r)
{
	transfer_close(r->transfer);
	r->transfer = NULL;
}

/* The next bytes of what was asked for; as transfer_next(). */
static ssize_t reading_next(struct reading *r, const void **data, size_t max,
			    int64_t *until, const struct remote *remote, struct err *e)
{
	ssize_t n;

	for (;;) {
		size_t most = r->skip && r->skip < max ? (size_t)r->skip : max;

		n = transfer_next(r->transfer, data, most, remote_try(remote, *until), e);
		if (n <= 0 || r->skip == 0)
			return n;
		r->skip -= (uint64_t)n;
		*until = remote_deadline(remote);
	}
}

/* A failure while reading: can it go on at the byte reached? */
static bool may_go_on(struct blob *b, struct retry *retry, ssize_t rc)
{
	if ((rc != 0 && !retry_is_worth_error((int)rc)) || !retry_wait(retry, NULL))
		return false;
	http_count_retry(remote_http(b->remote));
	return true;
}

/* What is left is not for the caller's table: transport is EIO to all above. */
static int give_up(struct blob *b, ssize_t rc, uint64_t at, struct err *e)
{
	if (rc == 0)
		err_set(e, -EIO, "the answer ends at byte %llu of %llu",
			(unsigned long long)at, (unsigned long long)b->source.size);
	if (rc == 0 || retry_is_worth_error((int)rc))
		rc = -EIO;
	return err_prefix(e, (int)rc, "%s", b->what + strlen("blobs/"));
}

/* Reading by range */

static ssize_t blob_pread(struct source *s, void *buf, size_t len, uint64_t off,
			  struct err *e)
{
	struct blob *b = (struct blob *)s;
	struct reading r = {0};
	struct retry retry;
	const void *data;
	size_t done = 0;
	ssize_t n = 0;

	retry_init(&retry, remote_deadline(b->remote));
	while (done < len) {
		if (!r.transfer) {
			n = reading_open(b, off + done, off + len - 1, false,
					 &retry.until, &r, e);
			if (n < 0)
				break; /* tried again inside, as far as it may help */
		}
		n = reading_next(&r, &data, len - done, &retry.until, b->remote, e);
		if (n > 0) {
			memcpy((char *)buf + done, data, (size_t)n);
			done += (size_t)n;
			retry_init(&retry, remote_deadline(b->remote));
			continue;
		}
		/* A range may be answered in part: whoever ends early is asked for the rest. */
		reading_close(&r);
		if (!may_go_on(b, &retry, n))
			break;
	}
	reading_close(&r);
	return done == len ? (ssize_t)len : give_up(b, n, off + done, e);
}

/* Streaming */

struct blob_stream {
	struct stream stream;
	struct blob *blob;
	struct reading reading;
	uint64_t at; /* the next byte to lend */
};

static ssize_t stream_read(struct stream *st, const void **data, struct err *e)
{
	struct blob_stream *bs = (struct blob_stream *)st;
	struct blob *b = bs->blob;
	uint64_t left = b->source.size - bs->at;
	struct retry retry;
	ssize_t n = 0;

	if (left == 0)
		return 0;
	retry_init(&retry, remote_deadline(b->remote));
	for (;;) {
		if (!bs->reading.transfer) {
			n = reading_open(b, bs->at, HTTP_TO_THE_END, true, &retry.until,
					 &bs->reading, e);
			if (n < 0)
				break;
		}
		n = reading_next(&bs->reading, data,
				 left < SIZE_MAX / 2 ? (size_t)left : SIZE_MAX / 2,
				 &retry.until, b->remote, e);
		if (n > 0) {
			bs->at += (uint64_t)n;
			return n;
		}
		reading_close(&bs->reading);
		if (!may_go_on(b, &retry, n))
			break;
	}
	return give_up(b, n, bs->at, e);
}

static void blob_stream_close(struct stream *st)
{
	struct blob_stream *bs = (struct blob_stream *)st;

	reading_close(&bs->reading);
	source_unref(&bs->blob->source);
	free(bs);
}

static int blob_stream(struct source *s, uint64_t off, struct stream **out, struct err *e)
{
	static const struct stream_ops ops = {.next = stream_read,
					      .close = blob_stream_close};
	struct blob_stream *bs = calloc(1, sizeof(*bs));

	if (!bs)
		return err_set(e, -ENOMEM, "out of memory");
	bs->stream.ops = &ops;
	bs->blob = (struct blob *)source_ref(s);
	bs->at = off < s->size ? off : s->size;
	*out = &bs->stream;
	return 0;
}

static void blob_release(struct source *s)
{
	struct blob *b = (struct blob *)s;
	size_t i;

	for (i = 0; i < b->n_urls; i++)
		free(b->urls[i]);
	free(b->urls);
	free(b->url);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

int blob_new(struct remote *remote, const struct descriptor *d, struct source **out,
	     struct err *e)
{
	static const struct source_ops ops = {
		.pread = blob_pread,
		.stream = blob_stream,
		.release = blob_release,
	};
	struct blob *b = calloc(1, sizeof(*b));
	size_t i;

	if (!b)
		return err_set(e, -ENOMEM, "out of memory");
	source_init(&b->source, &ops, d->size);
	pthread_mutex_init(&b->lock, NULL);
	b->remote = remote;
	strcpy(b->what, "blobs/");
	digest_format(&d->digest, b->what + strlen("blobs/"));
	b->urls = calloc(d->n_urls + 1, sizeof(*b->urls));
	for (i = 0; b->urls && i < d->n_urls; i++) {
		b->urls[i] = strdup(d->urls[i]);
		if (!b->urls[i])
			break;
		b->n_urls++;
	}
	if (!b->urls || b->n_urls < d->n_urls) {
		blob_release(&b->source);
		return err_set(e, -ENOMEM, "out of memory");
	}
	*out = &b->source;
	return 0;
}
