/* SPDX-License-Identifier: MIT */
#include "registry/http/redirect.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/http/url.h"

/* A registry needs one or two. */
#define HOPS_MAX 8

static bool is_redirect(const struct http_head *head)
{
	return head->location &&
	       (head->status == 301 || head->status == 302 || head->status == 303 ||
		head->status == 307 || head->status == 308);
}

/* False if either is not a URL. */
static bool is_same_origin(const char *a, const char *b)
{
	struct buf oa, ob;
	bool same;

	buf_init(&oa, HTTP_URL_MAX);
	buf_init(&ob, HTTP_URL_MAX);
	same = url_origin(a, &oa) == 0 && url_origin(b, &ob) == 0 &&
	       strcmp(buf_text(&oa), buf_text(&ob)) == 0;
	buf_release(&oa);
	buf_release(&ob);
	return same;
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

int http_follow(struct http *h, const struct http_request *rq,
		const struct http_tls *elsewhere, int64_t *until, struct buf *url,
		bool *foreign, struct transfer **out, struct err *e)
{
	struct http_request hop = *rq;
	struct transfer *t = NULL;
	int hops, rc;

	*foreign = false;
	buf_clear(url);
	rc = buf_append_text(url, rq->url);
	for (hops = 0; rc == 0; hops++) {
		hop.url = buf_text(url);
		rc = http_open(h, &hop, until, &t, e);
		if (rc < 0 || !is_redirect(transfer_head(t)))
			break;
		if (hops == HOPS_MAX)
			rc = err_set(e, -ELOOP, "redirected more than %d times",
				     HOPS_MAX);
		else
			rc = redirect_step(url, transfer_head(t)->location, e);
		transfer_close(t);
		t = NULL;
		/* Not reset on the way back, where the other host has chosen the path. */
		if (rc == 0 && !*foreign && !is_same_origin(rq->url, buf_text(url))) {
			*foreign = true;
			hop.authorization = NULL;
			hop.accept = NULL;
			hop.form = NULL;
			hop.tls = elsewhere;
		}
	}
	if (rc == 0)
		*out = t;
	return rc;
}
