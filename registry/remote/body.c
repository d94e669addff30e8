/* SPDX-License-Identifier: MIT */
#include "registry/remote/body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "registry/http/http.h"
#include "registry/http/refusal.h"
#include "registry/http/retry.h"
#include "registry/image/documents.h"

#define EXTRA_MS 5000

static int copy_field(const char *field, char **out)
{
	if (!field)
		return 0;
	free(*out);
	*out = strdup(field);
	return *out ? 0 : -ENOMEM;
}

/* Compares the bytes with the digest that is known, or with the one that the answer names. */
static int check_digest(const struct transfer *t, const struct remote_request *rq,
			const struct buf *bytes, struct err *e)
{
	const char *named = transfer_head(t)->digest;
	struct digest own = {0}, want;

	if (rq->wanted)
		want = rq->wanted->digest;
	else if (!named || digest_parse(named, strlen(named), &want) < 0)
		return 0;
	if (digest_of(want.alg, bytes->data, bytes->len, &own) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	return digest_equal(&own, &want) ? 0 : -EBADMSG;
}

/*
 * -EBADE: a malformed answer; -EBADMSG: a well-formed one whose digest is not as expected. A
 * content coding is no fault if the bytes are right all the same.
 */
static int body_check(const struct transfer *t, const struct remote_request *rq,
		      const struct buf *bytes, struct err *e)
{
	const struct descriptor *d = rq->wanted;
	struct json *j = NULL;
	int rc = rq->is_document || d ? check_digest(t, rq, bytes, e) : 0;

	if (rc == -ENOMEM || (rc == 0 && d))
		return rc;
	if (!is_gzip_coding(transfer_head(t)->content_encoding) || d ||
	    (bytes->len > 0 && bytes->data[0] == '\x1f')) {
		if (refuse_coding(t, e) < 0)
			return -EBADE;
	}
	if (d && d->size != DOCUMENT_SIZE_UNKNOWN && d->size != bytes->len)
		return err_set(e, -EBADE, "%zu bytes, but the descriptor says %llu",
			       bytes->len, (unsigned long long)d->size);
	if (rq->is_document && json_parse(bytes->data, bytes->len, &j, e) < 0)
		return -EBADE;
	json_free(j);
	return rc;
}

static int body_read(struct remote *r, struct transfer *t,
		     const struct remote_request *rq, int64_t until, struct body *out,
		     struct err *e)
{
	int rc = transfer_read_all(t, out->bytes, remote_try_deadline(r, until), e);

	if (rc == 0)
		rc = copy_field(transfer_head(t)->content_type, &out->media);
	if (rc == 0)
		rc = copy_field(transfer_head(t)->link, &out->link);
	if (rc == 0)
		rc = copy_field(transfer_head(t)->etag, &out->etag);
	return rc < 0 ? rc : body_check(t, rq, out->bytes, e);
}

void body_release(struct body *b)
{
	free(b->media);
	free(b->link);
	free(b->etag);
}

int body_get(struct remote *r, const struct remote_request *rq, struct body *out,
	     struct err *e)
{
	struct transfer *t;
	struct retry retry;
	bool has_doubt = false, again;
	int rc;

	retry_init(&retry, remote_http(r),
		   rq->is_extra ? clock_ms() + EXTRA_MS : remote_deadline(r));
	retry.is_blob = rq->wanted && !rq->is_document;
	do {
		t = NULL;
		buf_clear(out->bytes);
		rc = remote_open(r, rq, &retry.until, NULL, &t, e);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		if (rc == 0) {
			rc = body_read(r, t, rq, retry.until, out, e);
			transfer_close(t);
			if (rc < 0)
				remote_next_host(r);
		}
		/* The second well-formed answer holds, for its reader to judge. */
		again = rc == -EBADMSG ? !has_doubt && retry_wait(&retry, 0)
				       : retry_error(&retry, rc);
		has_doubt |= rc == -EBADMSG;
	} while (again);
	if (rc == -EBADMSG)
		return 0;
	return retry_is_worth_error(rc) ? -EIO : rc;
}
