/* SPDX-License-Identifier: MIT */
/* An image in a registry's repository. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/store.h"
#include "registry/backend.h"
#include "registry/blob.h"
#include "registry/http.h"
#include "registry/manifest.h"
#include "registry/reference.h"
#include "registry/remote.h"

struct repository {
	struct backend backend;
	struct reference reference;
	struct http *http;
	struct remote *remote;
};

/* Lists come first for people; registries do not weigh. */
static const char accept_all[] =
	MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST
	", application/vnd.docker.distribution.manifest.v1+prettyjws"
	", application/vnd.docker.distribution.manifest.v1+json"
	", application/vnd.oci.artifact.manifest.v1+json";

#define WHAT_MAX (sizeof("manifests/") + DIGEST_TEXT_MAX + REFERENCE_TAG_MAX)

static int get(struct repository *r, const char *what, const char *accept, struct buf *bytes,
	       char **media, struct err *e)
{
	struct remote_request rq = {.what = what, .accept = accept};
	int64_t until = remote_deadline(r->remote);
	struct transfer *t = NULL;
	int rc = remote_open(r->remote, &rq, &until, NULL, &t, e);

	if (rc < 0)
		return rc;
	rc = transfer_read_all(t, bytes, until, e);
	if (rc < 0 && rc != -E2BIG && rc != -ENOMEM)
		rc = -EIO;
	if (rc == 0 && media && transfer_head(t)->content_type) {
		*media = strdup(transfer_head(t)->content_type);
		rc = *media ? 0 : -ENOMEM;
	}
	transfer_close(t);
	return rc;
}

static int root_digest(struct repository *r, const struct buf *bytes, struct descriptor *d,
		       struct err *e)
{
	char text[DIGEST_TEXT_MAX];
	enum digest_alg alg = r->reference.has_digest ? r->reference.digest.alg : DIGEST_SHA256;
	int rc = digest_of(alg, bytes->data, bytes->len, &d->digest);

	if (rc < 0)
		return rc;
	if (r->reference.has_digest && !digest_equal(&d->digest, &r->reference.digest))
		return err_set(e, -EBADMSG, "the registry answered with another document, %s",
			       digest_format(&d->digest, text));
	d->size = bytes->len;
	return 0;
}

static int repository_root(struct backend *b, struct buf *bytes, struct descriptor *out,
			   struct err *e)
{
	struct repository *r = (struct repository *)b;
	struct descriptor d = {0};
	char text[DIGEST_TEXT_MAX], what[WHAT_MAX];
	int rc;

	snprintf(what, sizeof(what), "manifests/%s",
		 r->reference.has_digest ? digest_format(&r->reference.digest, text)
					 : r->reference.tag);
	rc = get(r, what, accept_all, bytes, &d.media_type, e);
	if (rc == 0)
		rc = root_digest(r, bytes, &d, e);
	if (rc < 0) {
		descriptor_release(&d);
		return err_prefix(e, rc, "%s", b->name);
	}
	*out = d;
	return 0;
}

static int repository_document(struct backend *b, const struct descriptor *d, struct buf *bytes,
			       struct err *e)
{
	enum document_kind kind = document_kind_of(d->media_type);
	bool manifest = kind == DOCUMENT_INDEX || kind == DOCUMENT_MANIFEST;
	char text[DIGEST_TEXT_MAX], what[WHAT_MAX];

	snprintf(what, sizeof(what), "%s/%s", manifest ? "manifests" : "blobs",
		 digest_format(&d->digest, text));
	return get((struct repository *)b, what, manifest ? accept_all : NULL, bytes, NULL, e);
}

static int repository_blob(struct backend *b, const struct descriptor *d, struct source **out,
			   struct err *e)
{
	return blob_new(((struct repository *)b)->remote, d, out, e);
}

static void repository_stats(struct backend *b, struct origin_stats *out)
{
	struct repository *r = (struct repository *)b;
	struct http_stats s;

	http_stats(r->http, &s);
	*out = (struct origin_stats){
		.requests = s.requests,
		.bytes = s.bytes,
		.errors = s.errors,
		.retries = remote_retries(r->remote),
	};
}

static void repository_close(struct backend *b)
{
	struct repository *r = (struct repository *)b;

	remote_free(r->remote);
	http_free(r->http);
	free(b->name);
	free(r);
}

static const struct backend_ops repository_ops = {
	.root = repository_root,
	.document = repository_document,
	.blob = repository_blob,
	.stats = repository_stats,
	.close = repository_close,
};

int repository_open(const char *text, const struct origin_options *options, struct store *store,
		    struct backend **out, struct err *e)
{
	struct remote_options remote = {
		.cacert = options->cacert,
		.insecure = options->insecure,
		.timeout = options->timeout,
	};
	struct repository *r = calloc(1, sizeof(*r));
	char name[REFERENCE_TEXT_MAX];
	int rc;

	if (!r)
		return err_set(e, -ENOMEM, "out of memory");
	r->backend.ops = &repository_ops;
	r->backend.store = store;
	rc = reference_parse(text, &r->reference, e);
	if (rc == 0) {
		r->backend.name = strdup(reference_format(&r->reference, name));
		rc = r->backend.name ? 0 : err_set(e, -ENOMEM, "out of memory");
	}
	if (rc == 0)
		rc = http_new(options->connections, &r->http, e);
	if (rc == 0)
		rc = remote_new(r->http, &r->reference, &remote, &r->remote, e);
	if (rc < 0)
		repository_close(&r->backend);
	else
		*out = &r->backend;
	return rc;
}
