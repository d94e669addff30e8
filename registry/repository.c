/* SPDX-License-Identifier: MIT */
/*
 * An image in a registry's repository.
 *
 * What the store holds is not asked for. A document by its digest is then complete
 * without a request; a tag is asked each time, but by HEAD if the store has what it
 * was last: many registries do not count that against their limits, and mostly it is
 * all that is needed. A tag that is not in the store is asked by GET at once, to save
 * a round trip. When the registry cannot be had, the last answer stands, with a warning.
 */
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
#include "registry/refusal.h"
#include "registry/remote.h"
#include "registry/retry.h"
#include "registry/shortname.h"

struct repository {
	struct backend backend;
	struct http *http;
	/* The options of remotes to come; owned texts. */
	struct remote_options options;
	char *authfile, *cacert;
	bool offline;
	/* a short name may be several, until the root is found */
	struct candidates names;
	/* The one in use: */
	struct reference reference;
	struct remote *remote;
};

/* Lists come first for people; registries do not weigh. */
static const char accept_all[] = MEDIA_OCI_INDEX
	", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST
	", application/vnd.docker.distribution.manifest.v1+prettyjws"
	", application/vnd.docker.distribution.manifest.v1+json"
	", application/vnd.oci.artifact.manifest.v1+json";

#define WHAT_MAX (sizeof("manifests/") + DIGEST_TEXT_MAX + REFERENCE_TAG_MAX)

/* One document; a body that breaks off is asked for anew, it is small. */
static int get_body(struct repository *r, const struct remote_request *rq,
		    struct buf *bytes, char **media, struct err *e)
{
	struct transfer *t = NULL;
	struct retry retry;
	bool again;
	int rc;

	retry_init(&retry, remote_deadline(r->remote));
	do {
		again = false;
		buf_clear(bytes);
		rc = remote_open(r->remote, rq, &retry.until, NULL, &t, e);
		if (rc < 0)
			return rc;
		rc = refuse_coding(t, e);
		if (rc == 0)
			rc = transfer_read_all(t, bytes,
					       remote_try(r->remote, retry.until), e);
		if (rc == 0 && media && transfer_head(t)->content_type) {
			*media = strdup(transfer_head(t)->content_type);
			rc = *media ? 0 : -ENOMEM;
		}
		transfer_close(t);
		if (retry_is_worth_error(rc) && retry_wait(&retry, NULL)) {
			http_count_retry(r->http);
			again = true;
		}
	} while (again);
	return retry_is_worth_error(rc) ? -EIO : rc;
}

/* @media, if it is wanted, gets the Content-Type: then it is the root that is asked. */
static int get(struct repository *r, const char *what, const char *accept,
	       struct buf *bytes, char **media, struct err *e)
{
	struct remote_request rq = {
		.what = what,
		.accept = accept,
		.by_tag = media && !r->reference.has_digest,
	};

	return get_body(r, &rq, bytes, media, e);
}

static int root_digest(struct repository *r, const struct buf *bytes,
		       struct descriptor *d, struct err *e)
{
	char text[DIGEST_TEXT_MAX];
	enum digest_alg alg = r->reference.has_digest ? r->reference.digest.alg
						      : DIGEST_SHA256;
	int rc = digest_of(alg, bytes->data, bytes->len, &d->digest);

	if (rc < 0)
		return rc;
	if (r->reference.has_digest && !digest_equal(&d->digest, &r->reference.digest))
		return err_set(e, -EBADMSG,
			       "the registry answered with another document, %s",
			       digest_format(&d->digest, text));
	d->size = bytes->len;
	return 0;
}

/* What the store knows of a tag: "DIGEST MEDIA-TYPE" under "tag REFERENCE". */

static void note_name(const struct repository *r, struct buf *name)
{
	buf_init(name, REFERENCE_TEXT_MAX + 8);
	(void)buf_printf(name, "tag %s", r->backend.name);
}

static bool recall(struct repository *r, struct descriptor *d)
{
	struct buf name, note;
	const char *space;
	bool known;

	if (!r->backend.store)
		return false;
	note_name(r, &name);
	buf_init(&note, 4096);
	known = store_get_note(r->backend.store, buf_text(&name), &note) == 0;
	space = known ? strchr(buf_text(&note), ' ') : NULL;
	known = space &&
		digest_parse(note.data, (size_t)(space - note.data), &d->digest) == 0;
	if (known)
		d->media_type = strdup(space + 1);
	buf_release(&name);
	buf_release(&note);
	return known;
}

static void remember(struct repository *r, const struct buf *bytes,
		     const struct descriptor *d)
{
	char digest[DIGEST_TEXT_MAX];
	struct buf name, note;

	if (!r->backend.store ||
	    store_put_document(r->backend.store, &d->digest, bytes->data, bytes->len) <
		    0 ||
	    r->reference.has_digest)
		return;
	note_name(r, &name);
	buf_init(&note, 4096);
	if (buf_printf(&note, "%s %s", digest_format(&d->digest, digest),
		       d->media_type ? d->media_type : "") == 0)
		(void)store_put_note(r->backend.store, buf_text(&name), buf_text(&note));
	buf_release(&name);
	buf_release(&note);
}

/* The document of d->digest from the store, with its size. */
static bool from_store(struct repository *r, struct buf *bytes, struct descriptor *d)
{
	if (!r->backend.store ||
	    store_get_document(r->backend.store, &d->digest, DOCUMENT_MAX, bytes) < 0) {
		buf_clear(bytes);
		return false;
	}
	d->size = bytes->len;
	return true;
}

/* Does the registry still give this digest for the tag? -ESTALE if not, or not said. */
static int ask_head(struct repository *r, const char *what, const struct digest *known,
		    struct err *e)
{
	struct remote_request rq = {
		.what = what, .accept = accept_all, .head = true, .by_tag = true};
	int64_t until = remote_deadline(r->remote);
	struct transfer *t = NULL;
	struct digest now;
	const char *text;
	int rc = remote_open(r->remote, &rq, &until, NULL, &t, e);

	if (rc < 0)
		return rc;
	text = transfer_head(t)->digest;
	if (!text || digest_parse(text, strlen(text), &now) < 0 ||
	    !digest_equal(&now, known))
		rc = -ESTALE;
	transfer_close(t);
	return rc;
}

static int from_registry(struct repository *r, const char *what, struct buf *bytes,
			 struct descriptor *out, struct err *e)
{
	struct descriptor d = {0};
	int rc = get(r, what, accept_all, bytes, &d.media_type, e);

	if (rc == 0)
		rc = root_digest(r, bytes, &d, e);
	if (rc < 0) {
		descriptor_release(&d);
		return rc;
	}
	remember(r, bytes, &d);
	*out = d;
	return 0;
}

/* A tag whose last document, in @bytes and @d, is known. */
static int check_tag(struct repository *r, const char *what, struct buf *bytes,
		     struct descriptor *d, struct err *e)
{
	struct descriptor fresh = {0};
	struct buf now;
	int rc;

	rc = r->offline ? -EIO : ask_head(r, what, &d->digest, e);
	if (rc == 0 || r->offline)
		return 0;
	if (rc == -ESTALE || (rc == -EIO && remote_is_reached(r->remote))) {
		buf_init(&now, DOCUMENT_MAX);
		rc = from_registry(r, what, &now, &fresh, e);
		if (rc == 0) {
			buf_release(bytes);
			descriptor_release(d);
			*bytes = now;
			*d = fresh;
			return 0;
		}
		buf_release(&now);
	}
	if (rc != -EIO && rc != -EACCES)
		return rc;
	backend_warn(&r->backend, "%s: showing what it was last: %s", r->backend.name,
		     e ? e->text : "the registry cannot be asked");
	return 0;
}

/* The root under the name in use. */
static int find_root(struct repository *r, struct buf *bytes, struct descriptor *out,
		     struct err *e)
{
	struct descriptor d = {0};
	char text[DIGEST_TEXT_MAX], what[WHAT_MAX];
	int rc;

	snprintf(what, sizeof(what), "manifests/%s",
		 r->reference.has_digest ? digest_format(&r->reference.digest, text)
					 : r->reference.tag);
	if (r->reference.has_digest) {
		d.digest = r->reference.digest;
		rc = from_store(r, bytes, &d) ? 0 : from_registry(r, what, bytes, &d, e);
	} else if (recall(r, &d) && from_store(r, bytes, &d)) {
		rc = check_tag(r, what, bytes, &d, e);
	} else {
		descriptor_release(&d);
		rc = from_registry(r, what, bytes, &d, e);
	}
	if (rc < 0) {
		descriptor_release(&d);
		return err_prefix(e, rc, "%s", r->backend.name);
	}
	*out = d;
	return 0;
}

/* Takes this name, and what it leads to, in use. */
static int use_name(struct repository *r, const char *text, struct err *e)
{
	struct remote *remote = NULL;
	struct reference ref;
	char full[REFERENCE_TEXT_MAX], *name;
	int rc = reference_parse(text, &ref, e);

	if (rc == 0)
		rc = remote_new(r->http, &ref, &r->options, &remote, e);
	if (rc < 0)
		return rc;
	name = strdup(reference_format(&ref, full));
	if (!name) {
		remote_free(remote);
		return err_set(e, -ENOMEM, "out of memory");
	}
	remote_free(r->remote);
	free(r->backend.name);
	r->remote = remote;
	r->backend.name = name;
	r->reference = ref;
	return 0;
}

static int repository_root(struct backend *b, struct buf *bytes, struct descriptor *out,
			   struct err *e)
{
	struct repository *r = (struct repository *)b;
	struct err own;
	size_t i;
	int rc;

	if (!e)
		e = &own; /* a warning may want the words */
	rc = find_root(r, bytes, out, e);
	for (i = 1; rc < 0 && rc != -ENOMEM && i < r->names.n; i++) {
		buf_clear(bytes);
		rc = use_name(r, r->names.list[i], e);
		if (rc == 0)
			rc = find_root(r, bytes, out, e);
	}
	return rc;
}

static int repository_document(struct backend *b, const struct descriptor *d,
			       struct buf *bytes, struct err *e)
{
	enum document_kind kind = document_kind_of(d->media_type);
	bool manifest = kind == DOCUMENT_INDEX || kind == DOCUMENT_MANIFEST;
	char text[DIGEST_TEXT_MAX], what[WHAT_MAX];

	snprintf(what, sizeof(what), "%s/%s", manifest ? "manifests" : "blobs",
		 digest_format(&d->digest, text));
	return get((struct repository *)b, what, manifest ? accept_all : NULL, bytes,
		   NULL, e);
}

static int repository_blob(struct backend *b, const struct descriptor *d,
			   struct source **out, struct err *e)
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
		.retries = s.retries,
	};
}

static void repository_close(struct backend *b)
{
	struct repository *r = (struct repository *)b;

	remote_free(r->remote);
	http_free(r->http);
	candidates_release(&r->names);
	free(r->authfile);
	free(r->cacert);
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

static int copy_options(struct repository *r, const struct origin_options *options)
{
	r->offline = options->offline;
	r->authfile = options->authfile ? strdup(options->authfile) : NULL;
	r->cacert = options->cacert ? strdup(options->cacert) : NULL;
	r->options = (struct remote_options){
		.authfile = r->authfile,
		.cacert = r->cacert,
		.insecure = options->insecure,
		.offline = options->offline,
		.timeout = options->timeout,
	};
	return (options->authfile && !r->authfile) || (options->cacert && !r->cacert)
		       ? -ENOMEM
		       : 0;
}

int repository_open(const char *text, const struct origin_options *options,
		    struct store *store, struct backend **out, struct err *e)
{
	struct repository *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_set(e, -ENOMEM, "out of memory");
	r->backend.ops = &repository_ops;
	r->backend.store = store;
	rc = copy_options(r, options);
	if (rc < 0)
		err_set(e, rc, "out of memory");
	if (rc == 0)
		rc = shortname_expand(text, &r->names, e);
	if (rc == 0)
		rc = http_new(options->connections, &r->http, e);
	if (rc == 0)
		rc = use_name(r, r->names.list[0], e);
	if (rc < 0)
		repository_close(&r->backend);
	else
		*out = &r->backend;
	return rc;
}
