/* SPDX-License-Identifier: MIT */
#include "registry/http/redirect.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "registry/http/url.h"

/* A registry needs one or two. */
#define HOPS_MAX 8

/* What sends data is sent elsewhere only if the same request is asked for there. */
static bool is_redirect(const struct http_head *head, bool has_upload)
{
	int status = head->status;

	return head->location &&
	       (status == 307 || status == 308 ||
		(!has_upload && (status == 301 || status == 302 || status == 303)));
}

/* Resolves @location against @url, in place. */
static int redirect_step(struct buf *url, const char *location, struct err *e)
{
	char shown[URL_SHOWN_MAX];
	struct buf next;
	int rc;

	buf_init(&next, HTTP_URL_MAX);
	rc = url_join(buf_text(url), location, &next);
	if (rc < 0) {
		buf_release(&next);
		return err_set(e, -EIO, "redirected to an invalid URL: %s",
			       url_show(location, shown));
	}
	buf_release(url);
	*url = next;
	return 0;
}

void place_init(struct place *p)
{
	p->foreign = false;
	buf_init(&p->url, HTTP_URL_MAX);
	buf_init(&p->referer, HTTP_URL_MAX);
}

void place_release(struct place *p)
{
	buf_release(&p->url);
	buf_release(&p->referer);
}

static bool is_downgrade(const char *from, const char *to)
{
	return strncasecmp(from, "https:", 6) == 0 && strncasecmp(to, "https:", 6) != 0;
}

/* The Referer for a hop outside the first host. */
static int set_referer(struct http_request *hop, const char *first, struct place *place)
{
	const char *host = strstr(first, "://"), *at;
	int rc = 0;

	host = host ? host + 3 : first;
	at = memrchr(host, '@', strcspn(host, "/?#"));
	if (place->referer.len == 0) {
		rc = buf_append(&place->referer, first, (size_t)(host - first));
		host = at ? at + 1 : host;
		if (rc == 0)
			rc = buf_append(&place->referer, host, strcspn(host, "?#"));
	}
	if (is_downgrade(buf_text(&place->referer), buf_text(&place->url)))
		buf_clear(&place->referer);
	hop->referer = place->referer.len ? buf_text(&place->referer) : NULL;
	return rc;
}

int http_follow(struct http *h, const struct http_request *rq,
		const struct http_tls *elsewhere, int64_t *until, struct place *place,
		struct transfer **out, struct err *e)
{
	struct http_request hop = *rq;
	struct transfer *t = NULL;
	int hops, rc;

	place->foreign = false;
	buf_clear(&place->url);
	buf_clear(&place->referer);
	rc = buf_append_text(&place->url, rq->url);
	if (rc == 0 && rq->referer)
		rc = buf_append_text(&place->referer, rq->referer);
	for (hops = 0; rc == 0; hops++) {
		hop.url = buf_text(&place->url);
		rc = http_open(h, &hop, until, &t, e);
		if (rc < 0 || !is_redirect(transfer_head(t), rq->upload != NULL))
			break;
		if (hops == HOPS_MAX)
			rc = err_set(e, -ELOOP, "redirected more than %d times",
				     HOPS_MAX);
		else
			rc = redirect_step(&place->url, transfer_head(t)->location, e);
		transfer_close(t);
		t = NULL;
		/* Not reset on the way back, where the other host has chosen the path. */
		if (rc == 0 && !place->foreign &&
		    !url_has_origin(rq->url, buf_text(&place->url))) {
			place->foreign = true;
			hop.authorization = NULL;
			hop.accept = NULL;
			hop.form = NULL;
			hop.tls = elsewhere;
		}
		if (rc == 0 && place->foreign)
			rc = set_referer(&hop, rq->url, place);
	}
	if (rc == 0)
		*out = t;
	return rc;
}
