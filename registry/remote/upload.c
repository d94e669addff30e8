/* SPDX-License-Identifier: MIT */
/*
 * A session begins with POST and has the URL that the last answer gave as Location. A short
 * blob is sent by one PUT. A longer one is sent by PATCH, part after part, and finished by PUT.
 * If a part fails, GET of the session tells how much the registry has. If the session is gone,
 * too, another one begins: perhaps the answer was lost and the blob is there.
 */
#include "registry/remote/upload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/num.h"
#include "registry/http/http.h"
#include "registry/http/redirect.h"
#include "registry/http/retry.h"
#include "registry/http/url.h"
#include "registry/image/document_kind.h"
#include "registry/remote/remote.h"

#define BLOB_TYPE "application/octet-stream"

#define WHAT_MAX (sizeof("manifests/") + DIGEST_TEXT_MAX + 128)

/* How often a blob is begun again: a registry that fails each time never takes it. */
#define SESSIONS_MAX 20

struct session {
	struct remote *remote;
	const struct digest *digest;
	const char *data;
	size_t len, part;
	size_t done; /* bytes that the registry has */
	struct buf url;
	struct retry retry;
	struct err *e;
};

/*
 * Sends one request of a session, which gets its next URL from the answer. A body of the answer
 * is not read. *done, which may be NULL: how much the registry has.
 */
static int session_send(struct session *s, const struct remote_request *rq, size_t *done)
{
	const struct http_head *head;
	struct transfer *t = NULL;
	struct place place;
	struct buf next;
	uint64_t last;
	int rc;

	place_init(&place);
	buf_init(&next, HTTP_URL_MAX);
	rc = remote_open(s->remote, rq, &s->retry.until, &place, &t, s->e);
	head = rc == 0 ? transfer_head(t) : NULL;
	if (rc == 0 && head->location) {
		rc = url_join(buf_text(&place.url), head->location, &next);
		if (rc == 0) {
			buf_clear(&s->url);
			rc = buf_append_text(&s->url, buf_text(&next));
		}
		if (rc < 0)
			err_set(s->e, rc, "the registry continues the upload at no URL");
	}
	/* "0-99", or "0-0" of a session that has nothing yet */
	if (rc == 0 && done && head->range && strncmp(head->range, "0-", 2) == 0 &&
	    num_parse(head->range + 2, strlen(head->range + 2), s->len, &last))
		*done = last == 0 ? 0 : (size_t)last + 1;
	transfer_close(t);
	buf_release(&next);
	place_release(&place);
	return rc;
}

static int session_begin(struct session *s)
{
	const struct http_upload up = {.method = "POST", .type = BLOB_TYPE};
	const struct remote_request rq = {
		.what = "blobs/uploads/", .upload = &up, .once = true};
	int rc;

	s->done = 0;
	buf_clear(&s->url);
	rc = session_send(s, &rq, NULL);
	if (rc == 0 && s->url.len == 0)
		rc = err_set(s->e, -EIO, "the registry names no place for the upload");
	return rc;
}

/* Sends the next part. */
static int session_patch(struct session *s)
{
	size_t n = s->len - s->done < s->part ? s->len - s->done : s->part;
	char range[64];
	const struct http_upload up = {
		.method = "PATCH",
		.data = s->data + s->done,
		.len = n,
		.type = BLOB_TYPE,
		.range = range,
	};
	const struct remote_request rq = {
		.url = buf_text(&s->url), .upload = &up, .once = true};
	size_t done = s->done + n;
	int rc;

	snprintf(range, sizeof(range), "%zu-%zu", s->done, s->done + n - 1);
	rc = session_send(s, &rq, &done);
	/* Without progress this would not end. */
	if (rc == 0 && (done <= s->done || done > s->len))
		rc = err_set(s->e, -EIO, "the registry has lost a part of the upload");
	if (rc == 0)
		s->done = done;
	return rc;
}

/* After a part that failed: how much is there? */
static int session_resume(struct session *s)
{
	const struct remote_request rq = {.url = buf_text(&s->url), .once = true};
	size_t done = 0;
	int rc = session_send(s, &rq, &done);

	if (rc == 0 && done <= s->len)
		s->done = done;
	return rc == 0 && done > s->len ? -EIO : rc;
}

/* Finishes the blob, with all of its bytes if none was sent yet. */
static int session_put(struct session *s)
{
	bool is_whole = s->done == 0;
	const struct http_upload up = {
		.method = "PUT",
		.data = s->data,
		.len = is_whole ? s->len : 0,
		.type = BLOB_TYPE,
	};
	char text[DIGEST_TEXT_MAX];
	struct remote_request rq = {.upload = &up, .once = true};
	struct buf url;
	int rc;

	buf_init(&url, HTTP_URL_MAX);
	rc = buf_append_text(&url, buf_text(&s->url));
	if (rc == 0)
		rc = url_query(&url, "digest", digest_format(s->digest, text));
	rq.url = buf_text(&url);
	if (rc == 0)
		rc = session_send(s, &rq, NULL);
	buf_release(&url);
	return rc;
}

/* The parts of a long blob. */
static int session_send_parts(struct session *s)
{
	int rc = 0;

	while (rc == 0 && s->done < s->len) {
		rc = session_patch(s);
		if (rc == 0) {
			s->retry.until = remote_deadline(s->remote);
			s->retry.tries = 0;
		} else if (retry_error(&s->retry, rc)) {
			rc = session_resume(s);
		}
	}
	return rc;
}

static int session_run(struct session *s)
{
	int rc = session_begin(s);

	if (rc == 0 && s->len > s->part)
		rc = session_send_parts(s);
	if (rc == 0)
		rc = session_put(s);
	return rc;
}

/*
 * Is the failure worth another session? A session may also be forgotten (404), or have other
 * bytes than we think (416 or 400).
 */
static bool session_is_worth(struct session *s, int rc)
{
	if (rc == -ENOENT || rc == -EBADE)
		rc = -EIO;
	return retry_error(&s->retry, rc);
}

int upload_has(struct remote *r, const struct digest *d, bool is_manifest, struct err *e)
{
	char what[WHAT_MAX], text[DIGEST_TEXT_MAX];
	const struct remote_request rq = {
		.what = what,
		.accept = is_manifest ? MEDIA_OCI_MANIFEST ", " MEDIA_OCI_INDEX : NULL,
		.head = true,
	};
	int64_t until = remote_deadline(r);
	struct transfer *t = NULL;
	struct err own = {""};
	int rc;

	snprintf(what, sizeof(what), "%s/%s", is_manifest ? "manifests" : "blobs",
		 digest_format(d, text));
	rc = remote_open(r, &rq, &until, NULL, &t, &own);
	transfer_close(t);
	/* A refused HEAD tells nothing: sending it is always right. */
	if (rc == -ESTALE || rc == -ENOENT)
		return 0;
	return rc < 0 ? err_set(e, rc, "%s", own.text) : 1;
}

int upload_blob(struct remote *r, const struct digest *d, const void *data, size_t len,
		size_t part, struct err *e)
{
	struct session s = {
		.remote = r,
		.digest = d,
		.data = data,
		.len = len,
		.part = part,
		.e = e,
	};
	unsigned n = 0;
	int rc;

	retry_init(&s.retry, remote_http(r), remote_deadline(r));
	buf_init(&s.url, HTTP_URL_MAX);
	do {
		rc = upload_has(r, d, false, e);
		if (rc != 0) {
			rc = rc == 1 && n > 0 ? 2 : rc;
			break;
		}
		rc = session_run(&s);
		n++;
	} while (rc < 0 && n < SESSIONS_MAX && session_is_worth(&s, rc));
	buf_release(&s.url);
	if (rc < 0)
		return rc == -ENOENT || retry_is_worth_error(rc) ? -EIO : rc;
	return rc == 1 ? 0 : 1;
}

int upload_manifest(struct remote *r, const struct upload_manifest *m,
		    bool *lists_subject, struct err *e)
{
	char what[WHAT_MAX];
	const struct http_upload up = {
		.method = "PUT",
		.data = m->data,
		.len = m->len,
		.type = m->media_type,
		.if_match = m->if_match,
	};
	const struct remote_request rq = {.what = what, .upload = &up};
	int64_t until = remote_deadline(r);
	struct transfer *t = NULL;
	int rc;

	snprintf(what, sizeof(what), "manifests/%s", m->reference);
	rc = remote_open(r, &rq, &until, NULL, &t, e);
	if (rc == 0)
		*lists_subject = transfer_head(t)->subject != NULL;
	transfer_close(t);
	return rc;
}
