/* SPDX-License-Identifier: MIT */
/*
 * Filtering by type is optional for registries (OCI-Filters-Applied says whether they did), so
 * the result is always filtered here. A response that is not an index comes from a server
 * that does not know the path.
 */
#include "registry/remote/referrers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/store/documents.h"
#include "registry/http/http.h"
#include "registry/http/url.h"
#include "registry/image/document_kind.h"
#include "registry/image/manifest.h"
#include "registry/remote/body.h"
#include "registry/remote/paging.h"
#include "registry/remote/remote.h"

/* A page is at most 4 MiB; registries send some hundred entries per page. */
#define PAGES_MAX 1000

/* How long referrers_at_once() waits. */
#define AT_ONCE_MS 5000

static int referrers_report(const struct buf *page, const struct referrers_query *q,
			    struct err *e)
{
	struct entries en = {0};
	size_t i;
	int rc = entries_parse_all(page->data, page->len, &en, e);

	for (i = 0; i < en.n && rc == 0; i++)
		rc = referrers_query_report(q, &en.list[i]);
	entries_release(&en);
	return rc;
}

#define TAG_PATH_MAX (sizeof("manifests/") + DIGEST_TEXT_MAX)

/* The tag is "sha256-HEX", with at most 64 hex digits. */
static void tag_path(const struct referrers_query *q, char out[TAG_PATH_MAX])
{
	char hex[DIGEST_TEXT_MAX];

	snprintf(out, TAG_PATH_MAX, "manifests/%s-%.64s", digest_alg_name(q->of->alg),
		 digest_hex(q->of, hex));
}

/* Some registries take the tag for the digest, and answer with the image itself. */
static int report_tag(const struct buf *page, const struct referrers_query *q,
		      struct err *e)
{
	struct digest own;
	int rc = digest_of(q->of->alg, page->data, page->len, &own);

	return rc == 0 && !digest_equal(&own, q->of) ? referrers_report(page, q, e) : rc;
}

int referrers_by_tag(struct remote *r, const struct referrers_query *q, struct err *e)
{
	char what[TAG_PATH_MAX];
	struct remote_request rq = {
		.what = what,
		.accept = MEDIA_OCI_INDEX,
		.by_tag = true,
		.is_extra = q->is_extra,
	};
	struct body body = {0};
	struct buf page;
	int rc;

	tag_path(q, what);
	buf_init(&page, DOCUMENT_MAX);
	body.bytes = &page;
	rc = body_get(r, &rq, &body, e);
	if (rc == 0)
		rc = report_tag(&page, q, e);
	body_release(&body);
	if (rc == -ENOENT || rc == -EBADMSG)
		rc = 0; /* no such tag, or one of something else: no referrers */
	buf_release(&page);
	return rc;
}

static int referrers_first_page(const struct referrers_query *q, struct buf *what)
{
	char text[DIGEST_TEXT_MAX];
	int rc = buf_printf(what, "referrers/%s", digest_format(q->of, text));

	return rc == 0 && q->type ? url_query(what, "artifactType", q->type) : rc;
}

/* Gets the page @what; @next gets the one that follows it. */
static int referrers_get_page(struct remote *r, const struct referrers_query *q,
			      const char *what, struct buf *page, struct buf *next,
			      struct err *e)
{
	struct remote_request rq = {
		.what = what,
		.accept = MEDIA_OCI_INDEX,
		.by_tag = true,
		.may_lack = true,
		.is_extra = q->is_extra,
	};
	struct body body = {.bytes = page};
	int rc = body_get(r, &rq, &body, e);

	if (rc == 0)
		rc = paging_next(what, body.link, next, e);
	body_release(&body);
	return rc;
}

int referrers_by_api(struct remote *r, const struct referrers_query *q, struct err *e)
{
	struct buf what, next, page;
	unsigned n = 0;
	int rc;

	buf_init(&what, HTTP_URL_MAX);
	buf_init(&next, HTTP_URL_MAX);
	buf_init(&page, DOCUMENT_MAX);
	rc = referrers_first_page(q, &what);
	if (rc < 0)
		err_set(e, rc, "out of memory");
	while (rc == 0) {
		struct buf old = what;

		if (n++ == PAGES_MAX) {
			rc = err_set(e, -E2BIG, "more than %d pages of referrers",
				     PAGES_MAX);
			break;
		}
		buf_clear(&next);
		rc = referrers_get_page(r, q, buf_text(&what), &page, &next, e);
		if (rc == 0)
			rc = referrers_report(&page, q, e);
		what = next;
		next = old;
		if (what.len == 0)
			break;
	}
	if (n == 1 && (rc == -ENOENT || rc == -ENOTSUP || rc == -EBADMSG))
		rc = -ENOSYS;
	buf_release(&what);
	buf_release(&next);
	buf_release(&page);
	return rc;
}

/* One of two questions that are under way at once. */
struct question {
	bool is_tag;
	struct transfer *transfer;
};

/*
 * Reads the answer. *status is 0 if there is none that can be used; then another try of the
 * usual kind will tell. Returns what the callback returned.
 */
static int question_await(struct remote *r, const struct question *t,
			  const struct referrers_query *q, int64_t until, int *status,
			  struct err *e)
{
	const struct http_head *head;
	struct buf page;
	int rc;

	*status = 0;
	if (transfer_await(t->transfer, &until, NULL) < 0)
		return 0;
	head = transfer_head(t->transfer);
	*status = head->status;
	if (head->status != 200)
		return 0;
	buf_init(&page, DOCUMENT_MAX);
	rc = transfer_read_all(t->transfer, &page, remote_try_deadline(r, until), NULL);
	if (rc < 0 || head->link || head->content_encoding)
		*status = 0;
	else
		rc = t->is_tag ? report_tag(&page, q, e) : referrers_report(&page, q, e);
	/* something else than a list: of a tag, that is as good as none */
	if (rc == -EBADMSG)
		*status = t->is_tag ? 404 : 0;
	buf_release(&page);
	return *status == 200 ? rc : 0;
}

/* Asks both; the tag first, so that it gets the connection that is open. */
static int ask_both(struct remote *r, const struct referrers_query *q,
		    struct question *tag, struct question *api)
{
	char path[TAG_PATH_MAX];
	struct remote_request rq = {
		.what = path, .accept = MEDIA_OCI_INDEX, .by_tag = true};
	struct buf what;
	int rc;

	tag_path(q, path);
	buf_init(&what, HTTP_URL_MAX);
	rc = referrers_first_page(q, &what);
	if (rc == 0)
		rc = remote_begin(r, &rq, &tag->transfer);
	rq.what = buf_text(&what);
	if (rc == 0)
		rc = remote_begin(r, &rq, &api->transfer);
	buf_release(&what);
	return rc;
}

int referrers_at_once(struct remote *r, const struct referrers_query *q, struct err *e)
{
	struct question tag = {.is_tag = true}, api = {.is_tag = false};
	int64_t until = clock_ms() + AT_ONCE_MS;
	int status_tag = 0, status_api = 0, rc = ask_both(r, q, &tag, &api);
	bool is_asked = rc == 0;

	if (is_asked)
		rc = question_await(r, &tag, q, until, &status_tag, e);
	if (is_asked && rc == 0)
		rc = question_await(r, &api, q, until, &status_api, e);
	transfer_close(tag.transfer);
	transfer_close(api.transfer);
	if (!is_asked)
		return -EAGAIN;
	if (rc < 0 || status_api == 200)
		return rc;
	return status_api == 404 && (status_tag == 200 || status_tag == 404) ? -ENOSYS
									     : -EAGAIN;
}

/*
 * Signatures, attestations and SBOMs that cosign keeps beside an image, each kind under a tag
 * made of the image's digest ("sha256-HEX.sig"). This is not in a specification, but most
 * signed public images use it.
 */

#define COSIGN_ACCEPT MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST

/* The descriptor of a manifest, as an index would have it. -EBADMSG: not a manifest. */
static int cosign_describe(const struct buf *bytes, const char *served_as,
			   struct descriptor *out, struct err *e)
{
	struct descriptor d = {.size = bytes->len};
	enum document_kind kind;
	struct manifest m = {0};
	const char *media;
	int rc = document_kind(bytes->data, bytes->len, served_as, &kind, &media, e);

	if (rc == 0 && kind != DOCUMENT_MANIFEST)
		rc = -EBADMSG;
	if (rc == 0)
		rc = manifest_parse(bytes->data, bytes->len, &m, e);
	if (rc == 0)
		rc = digest_of(DIGEST_SHA256, bytes->data, bytes->len, &d.digest);
	if (rc == 0) {
		d.artifact_type = m.artifact_type;
		m.artifact_type = NULL;
		d.media_type = strdup(media);
		rc = d.media_type ? 0 : -ENOMEM;
	}
	manifest_release(&m);
	if (rc < 0)
		descriptor_release(&d);
	else
		*out = d;
	return rc;
}

static int cosign_report(struct remote *r, const struct referrers_query *q,
			 const struct buf *bytes, const char *media, struct err *e)
{
	struct descriptor d = {0};
	int rc = cosign_describe(bytes, media, &d, e);

	if (rc < 0)
		return rc;
	if (remote_store(r))
		(void)store_put_document(remote_store(r), &d.digest, bytes->data,
					 bytes->len);
	rc = referrers_query_report(q, &d);
	descriptor_release(&d);
	return rc;
}

static int cosign_ask(struct remote *r, const struct referrers_query *q,
		      const char *suffix, struct err *e)
{
	char what[sizeof("manifests/.sbom") + DIGEST_TEXT_MAX], hex[DIGEST_TEXT_MAX];
	struct remote_request rq = {
		.what = what,
		.accept = COSIGN_ACCEPT,
		.by_tag = true,
		.is_extra = q->is_extra,
	};
	struct body body = {0};
	struct buf bytes;
	int rc;

	snprintf(what, sizeof(what), "manifests/%s-%s.%s", digest_alg_name(q->of->alg),
		 digest_hex(q->of, hex), suffix);
	buf_init(&bytes, DOCUMENT_MAX);
	body.bytes = &bytes;
	rc = body_get(r, &rq, &body, e);
	if (rc == 0)
		rc = cosign_report(r, q, &bytes, body.media, e);
	if (rc == -ENOENT || rc == -EBADMSG || rc == -ENOTSUP)
		rc = 0;
	body_release(&body);
	buf_release(&bytes);
	return rc;
}

int referrers_of_cosign_signatures(struct remote *r, const struct referrers_query *q,
				   struct err *e)
{
	return q->of->alg == DIGEST_SHA256 ? cosign_ask(r, q, "sig", e) : 0;
}

int referrers_by_cosign(struct remote *r, const struct referrers_query *q, struct err *e)
{
	static const char *const suffixes[] = {"sig", "att", "sbom"};
	size_t i;
	int rc = 0;

	/* Longer digests do not fit in a tag. */
	if (q->of->alg != DIGEST_SHA256)
		return 0;
	for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]) && rc == 0; i++)
		rc = cosign_ask(r, q, suffixes[i], e);
	return rc;
}
