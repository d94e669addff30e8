/* SPDX-License-Identifier: MIT */
/*
 * What the store has is not requested. A document named by digest then needs no request. A tag
 * needs one each time, but only HEAD if the store has its last document: many registries
 * do not count HEAD against their limits, and the answer is mostly the same digest. A tag
 * that the store does not know is requested by GET at once, to save a round trip. If the
 * registry is unreachable, the last known document is used, with a warning.
 */
#include "registry/remote/repository.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/num.h"
#include "base/store/documents.h"
#include "registry/config/hosts.h"
#include "registry/config/short_name.h"
#include "registry/http/http.h"
#include "registry/image/document_kind.h"
#include "registry/image/documents.h"
#include "registry/image/reference.h"
#include "registry/remote/blob.h"
#include "registry/remote/body.h"
#include "registry/remote/client.h"
#include "registry/remote/paging.h"
#include "registry/remote/referrers.h"
#include "registry/remote/remote.h"

struct repository {
	struct backend backend;
	struct client *client;
	bool offline;
	/* a short name has several candidates until the root is found */
	struct candidates names;
	/* The candidate in use: */
	struct reference reference;
	struct remote *remote;
};

/* The order is for readers; registries ignore it. */
static const char accept_all[] = MEDIA_OCI_INDEX
	", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST
	", application/vnd.docker.distribution.manifest.v1+prettyjws"
	", application/vnd.docker.distribution.manifest.v1+json"
	", application/vnd.oci.artifact.manifest.v1+json";

#define WHAT_MAX (sizeof("manifests/") + DIGEST_TEXT_MAX + REFERENCE_TAG_MAX)

/* A 404. Few registries say what is missing: the reference implementation does not. */
static void explain_missing(struct err *e)
{
	struct err old = *e;

	err_set(e, 0, "%s (%s)", old.text,
		strstr(old.text, "NAME_UNKNOWN")
			? "there is no such repository"
			: "it does not say whether the repository or the tag is missing");
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
			       "the registry answers with another document, %s",
			       digest_format(&d->digest, text));
	d->size = bytes->len;
	return 0;
}

/* The store's note about a tag: "DIGEST MEDIA-TYPE" under "tag REFERENCE". */

#define NOTE_NAME_MAX (REFERENCE_TEXT_MAX + sizeof("tag "))

static const char *tag_note_name(const struct repository *r, char *out)
{
	snprintf(out, NOTE_NAME_MAX, "tag %s", r->backend.name);
	return out;
}

static bool recall_tag(struct repository *r, struct descriptor *d)
{
	char name[NOTE_NAME_MAX];
	struct buf note;
	const char *space;
	bool known;

	if (!r->backend.store)
		return false;
	buf_init(&note, 4096);
	known = store_get_note(r->backend.store, tag_note_name(r, name), &note) == 0;
	space = known ? strchr(buf_text(&note), ' ') : NULL;
	known = space &&
		digest_parse(note.data, (size_t)(space - note.data), &d->digest) == 0;
	if (known)
		d->media_type = strdup(space + 1);
	buf_release(&note);
	return known;
}

static void remember_tag(struct repository *r, const struct descriptor *d)
{
	char digest[DIGEST_TEXT_MAX], name[NOTE_NAME_MAX];
	struct buf note;

	if (!r->backend.store || r->reference.has_digest)
		return;
	buf_init(&note, 4096);
	if (buf_printf(&note, "%s %s", digest_format(&d->digest, digest),
		       d->media_type ? d->media_type : "") == 0)
		(void)store_put_note(r->backend.store, tag_note_name(r, name),
				     buf_text(&note));
	buf_release(&note);
}

static void remember_root(struct repository *r, const struct buf *bytes,
			  const struct descriptor *d)
{
	if (r->backend.store && store_put_document(r->backend.store, &d->digest,
						   bytes->data, bytes->len) == 0)
		remember_tag(r, d);
}

/* Gets the document of d->digest and its size from the store. */
static bool root_from_store(struct repository *r, struct buf *bytes, struct descriptor *d)
{
	if (!r->backend.store ||
	    store_get_document(r->backend.store, &d->digest, DOCUMENT_MAX, bytes) < 0) {
		buf_clear(bytes);
		return false;
	}
	d->size = bytes->len;
	return true;
}

/* Digest and media type by HEAD. -ESTALE: HEAD does not give them, or is refused. */
static int head_digest(struct repository *r, const char *what, struct descriptor *out,
		       struct err *e)
{
	struct remote_request rq = {
		.what = what, .accept = accept_all, .head = true, .by_tag = true};
	int64_t until = remote_deadline(r->remote);
	const struct http_head *head;
	struct transfer *t = NULL;
	int rc = remote_open(r->remote, &rq, &until, NULL, &t, e);

	if (rc < 0)
		return rc;
	head = transfer_head(t);
	if (!head->digest ||
	    digest_parse(head->digest, strlen(head->digest), &out->digest) < 0)
		rc = -ESTALE;
	else if (head->content_type)
		out->media_type = strdup(head->content_type);
	transfer_close(t);
	return rc;
}

static int root_from_registry(struct repository *r, const char *what, struct buf *bytes,
			      struct descriptor *out, struct err *e)
{
	const struct descriptor wanted = {.digest = r->reference.digest,
					  .size = DOCUMENT_SIZE_UNKNOWN};
	const struct remote_request rq = {
		.what = what,
		.accept = accept_all,
		.by_tag = !r->reference.has_digest,
		.is_document = true,
		.wanted = r->reference.has_digest ? &wanted : NULL,
	};
	struct body body = {.bytes = bytes};
	struct descriptor d = {0};
	int rc = body_get(r->remote, &rq, &body, e);

	d.media_type = body.media;
	body.media = NULL;
	body_release(&body);
	if (rc == -ENOENT && rq.by_tag && e)
		explain_missing(e);
	if (rc == 0)
		rc = root_digest(r, bytes, &d, e);
	if (rc < 0) {
		descriptor_release(&d);
		return rc;
	}
	remember_root(r, bytes, &d);
	*out = d;
	return 0;
}

static void warn_stale(struct repository *r, const struct err *e)
{
	client_warn(r->client, "%s: using what it was last: %s", r->backend.name,
		    e ? e->text : "the registry is unreachable");
}

/* Replaces the last known document of a tag, in @bytes and @d, if the tag has moved. */
static int refresh_root(struct repository *r, const char *what, struct buf *bytes,
			struct descriptor *d, struct err *e)
{
	struct descriptor fresh = {0};
	struct buf now;
	int rc;

	if (r->offline)
		return 0;
	rc = head_digest(r, what, &fresh, e);
	if (rc == 0 && !digest_equal(&fresh.digest, &d->digest))
		rc = -ESTALE;
	descriptor_release(&fresh);
	if (rc == 0)
		return 0;
	if (rc == -ESTALE) {
		buf_init(&now, DOCUMENT_MAX);
		rc = root_from_registry(r, what, &now, &fresh, e);
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
	warn_stale(r, e);
	return 0;
}

static void manifest_path(const struct repository *r, char *out, size_t max)
{
	char text[DIGEST_TEXT_MAX];

	snprintf(out, max, "manifests/%s",
		 r->reference.has_digest ? digest_format(&r->reference.digest, text)
					 : r->reference.tag);
}

/* The digest of the tag by HEAD, or by GET; the store keeps what GET gives. */
static int fresh_digest(struct repository *r, struct descriptor *d, struct err *e)
{
	char what[WHAT_MAX];
	struct buf bytes;
	int rc;

	manifest_path(r, what, sizeof(what));
	rc = head_digest(r, what, d, e);
	if (rc == 0)
		remember_tag(r, d);
	if (rc != -ESTALE)
		return rc;
	buf_init(&bytes, DOCUMENT_MAX);
	rc = root_from_registry(r, what, &bytes, d, e);
	buf_release(&bytes);
	return rc;
}

static int repository_tag_digest(struct backend *b, struct digest *out, struct err *e)
{
	struct repository *r = (struct repository *)b;
	struct descriptor d = {0};
	struct err own;
	int rc = -EIO;

	if (!e)
		e = &own;
	if (r->reference.has_digest) {
		*out = r->reference.digest;
		return 0;
	}
	if (!r->offline)
		rc = fresh_digest(r, &d, e);
	if ((rc == -EIO || rc == -EACCES) && recall_tag(r, &d)) {
		if (!r->offline)
			warn_stale(r, e);
		rc = rc == -EIO && !r->offline;
	} else if (r->offline) {
		err_set(e, rc, "not in the store, and -o offline allows no requests");
	}
	if (rc >= 0)
		*out = d.digest;
	descriptor_release(&d);
	return rc < 0 ? err_prefix(e, rc, "%s", r->backend.name) : rc;
}

/* The root of the candidate in use. */
static int find_root(struct repository *r, struct buf *bytes, struct descriptor *out,
		     struct err *e)
{
	struct descriptor d = {0};
	char what[WHAT_MAX];
	int rc;

	manifest_path(r, what, sizeof(what));
	if (r->reference.has_digest) {
		d.digest = r->reference.digest;
		rc = root_from_store(r, bytes, &d)
			     ? 0
			     : root_from_registry(r, what, bytes, &d, e);
	} else if (recall_tag(r, &d) && root_from_store(r, bytes, &d)) {
		rc = refresh_root(r, what, bytes, &d, e);
	} else {
		descriptor_release(&d);
		rc = root_from_registry(r, what, bytes, &d, e);
	}
	if (rc < 0) {
		descriptor_release(&d);
		return err_prefix(e, rc, "%s", r->backend.name);
	}
	*out = d;
	return 0;
}

/* Makes @text the candidate in use. */
static int use_candidate(struct repository *r, const char *text, struct err *e)
{
	struct remote *remote = NULL;
	struct reference ref;
	char full[REFERENCE_TEXT_MAX], *name;
	int rc = reference_parse(text, &ref, e);

	if (rc == 0)
		rc = remote_new(r->client, &ref, &remote, e);
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
	r->backend.is_pinned = ref.has_digest;
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
		e = &own; /* a warning may quote it */
	rc = find_root(r, bytes, out, e);
	for (i = 1; rc < 0 && rc != -ENOMEM && i < r->names.n; i++) {
		buf_clear(bytes);
		rc = use_candidate(r, r->names.list[i], e);
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
	const struct remote_request rq = {
		.what = what,
		.accept = manifest ? accept_all : NULL,
		.is_document = manifest,
		.wanted = d,
	};
	struct body body = {.bytes = bytes};
	int rc;

	snprintf(what, sizeof(what), "%s/%s", manifest ? "manifests" : "blobs",
		 digest_format(&d->digest, text));
	rc = body_get(((struct repository *)b)->remote, &rq, &body, e);
	body_release(&body);
	return rc;
}

static int repository_blob(struct backend *b, const struct descriptor *d,
			   struct source **out, struct err *e)
{
	return blob_new(((struct repository *)b)->remote, d, out, e);
}

/* Lists */

static int repository_tags(struct backend *b, name_fn *fn, void *arg, struct err *e)
{
	struct repository *r = (struct repository *)b;
	int rc = paging_names(r->remote, NAMES_TAGS, fn, arg, e);

	return rc < 0 ? err_prefix(e, rc, "the tags of %s", r->backend.name) : 0;
}

static int repository_probe(struct backend *b, struct err *e)
{
	struct repository *r = (struct repository *)b;
	struct remote_request rq = {
		.what = "tags/list?n=1",
		.accept = "application/json",
		.by_tag = true,
		.may_hide = true,
	};
	int64_t until = remote_deadline(r->remote);
	struct transfer *t = NULL;
	int rc = remote_open(r->remote, &rq, &until, NULL, &t, e);

	transfer_close(t);
	return rc < 0 ? err_prefix(e, rc, "%s", r->backend.name) : 0;
}

/*
 * The store notes for a day whether a host has the referrers API, so that non-essential
 * searches ask once: API_YES by the API, API_NO by the tag.
 */
enum referrers_api { API_UNKNOWN, API_YES, API_NO };

#define API_NOTE_MAX (REFERENCE_HOST_MAX + 32)

static const char *api_note_name(const struct repository *r, enum referrers_api api,
				 char out[API_NOTE_MAX])
{
	snprintf(out, API_NOTE_MAX, "%sreferrers %s", api == API_NO ? "no-" : "",
		 r->reference.host);
	return out;
}

static bool is_noted(const struct repository *r, enum referrers_api api)
{
	uint64_t then = 0, now = (uint64_t)time(NULL);
	char name[API_NOTE_MAX];
	struct buf note;
	bool is;

	buf_init(&note, 32);
	is = r->backend.store &&
	     store_get_note(r->backend.store, api_note_name(r, api, name), &note) == 0 &&
	     num_parse(buf_text(&note), note.len, INT64_MAX, &then) && then <= now &&
	     now - then < 24 * 3600;
	buf_release(&note);
	return is;
}

static enum referrers_api recall_api(const struct repository *r)
{
	if (is_noted(r, API_NO))
		return API_NO;
	return is_noted(r, API_YES) ? API_YES : API_UNKNOWN;
}

static void note_api(const struct repository *r, enum referrers_api api)
{
	char now[32], name[API_NOTE_MAX];

	snprintf(now, sizeof(now), "%lld", (long long)time(NULL));
	if (r->backend.store)
		(void)store_put_passing_note(r->backend.store,
					     api_note_name(r, api, name), now);
}

static int referrers_in_turn(struct repository *r, const struct referrers_query *q,
			     struct err *e)
{
	int rc = referrers_by_api(r->remote, q, e);

	if (rc == 0)
		note_api(r, API_YES);
	if (rc != -ENOSYS)
		return rc;
	note_api(r, API_NO);
	return referrers_by_tag(r->remote, q, e);
}

/* A search that a mount works without. */
static int referrers_extra(struct repository *r, const struct referrers_query *q,
			   struct err *e)
{
	enum referrers_api api = recall_api(r);
	int rc;

	if (api == API_NO)
		return referrers_by_tag(r->remote, q, e);
	if (api == API_YES || r->offline)
		return referrers_in_turn(r, q, e);
	rc = referrers_at_once(r->remote, q, e);
	if (rc == -EAGAIN)
		return referrers_in_turn(r, q, e);
	if (rc == 0 || rc == -ENOSYS)
		note_api(r, rc == 0 ? API_YES : API_NO);
	return rc == -ENOSYS ? 0 : rc;
}

static int repository_referrers(struct backend *b, const struct referrers_query *q,
				struct err *e)
{
	struct repository *r = (struct repository *)b;
	int rc;

	if (q->part == REFERRERS_SIGNATURES)
		return referrers_of_cosign_signatures(r->remote, q, e);
	if (q->is_extra)
		return referrers_extra(r, q, e);
	rc = referrers_in_turn(r, q, e);
	if (rc == 0 && q->part == REFERRERS_ALL)
		rc = referrers_by_cosign(r->remote, q, e);
	return rc; /* callers name the image */
}

static int repository_writer(struct backend *b, struct remote **out, struct err *e)
{
	struct repository *r = (struct repository *)b;

	if (r->offline)
		return err_set(e, -EIO, "%s: -o offline allows no requests", b->name);
	return remote_new_writer(r->client, &r->reference, out, e);
}

static void repository_close(struct backend *b)
{
	struct repository *r = (struct repository *)b;

	remote_free(r->remote);
	candidates_release(&r->names);
	free(b->name);
	free(r);
}

static const struct backend_ops repository_ops = {
	.root = repository_root,
	.document = repository_document,
	.blob = repository_blob,
	.tag_digest = repository_tag_digest,
	.tags = repository_tags,
	.probe = repository_probe,
	.referrers = repository_referrers,
	.writer = repository_writer,
	.close = repository_close,
};

int repository_open(const char *text, struct client *c, struct backend **out,
		    struct err *e)
{
	struct repository *r = calloc(1, sizeof(*r));
	const struct registries *conf;
	int rc;

	if (!r)
		return err_set(e, -ENOMEM, "out of memory");
	r->backend.ops = &repository_ops;
	r->backend.transport = "docker";
	r->backend.store = client_store(c);
	r->client = c;
	r->offline = client_is_offline(c);
	rc = hosts_registries(client_hosts(c), &conf, e);
	if (rc == 0)
		rc = short_name_expand(conf, text, &r->names, e);
	if (rc == 0)
		rc = use_candidate(r, r->names.list[0], e);
	if (rc < 0)
		repository_close(&r->backend);
	else
		*out = &r->backend;
	return rc;
}
