/* SPDX-License-Identifier: MIT */
#include "registry/remote/cosign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/store/documents.h"
#include "registry/image/document_kind.h"
#include "registry/image/manifest.h"
#include "registry/remote/body.h"
#include "registry/remote/remote.h"

#define ACCEPT MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST

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
		.accept = ACCEPT,
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
	free(body.media);
	free(body.link);
	buf_release(&bytes);
	return rc;
}

int cosign_referrers(struct remote *r, const struct referrers_query *q, struct err *e)
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
