/* SPDX-License-Identifier: MIT */
/*
 * Two clients may read the list, add to it and write it at the same time, and a registry keeps
 * the last one. If-Match prevents that where the registry gives an ETag and obeys it. Else the
 * one that wrote last is right, and the other finds its entry missing when it reads the list
 * again. The one that wrote last must not miss entries that it has seen: those are kept and
 * added again.
 */
#include "registry/remote/referrer_tag.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/jsonwrite.h"
#include "registry/http/http.h"
#include "registry/http/retry.h"
#include "registry/image/descriptor.h"
#include "registry/image/document_kind.h"
#include "registry/remote/body.h"
#include "registry/remote/remote.h"
#include "registry/remote/upload.h"

/* Each round that fails means that another client succeeded. */
#define ROUNDS_MAX 20

const char *referrer_tag_name(const struct digest *subject, char *out)
{
	char hex[DIGEST_TEXT_MAX];

	snprintf(out, REFERRER_TAG_MAX, "%s-%.64s", digest_alg_name(subject->alg),
		 digest_hex(subject, hex));
	return out;
}

/* Merging */

static void write_entry(struct jsonwrite *w, const struct referrer_entry *entry)
{
	char text[DIGEST_TEXT_MAX];

	jsonwrite_open(w, '{');
	jsonwrite_member(w, "mediaType", entry->media_type);
	jsonwrite_member(w, "digest", digest_format(&entry->digest, text));
	jsonwrite_member_number(w, "size", (int64_t)entry->size);
	jsonwrite_member(w, "artifactType", entry->artifact_type);
	jsonwrite_key(w, "annotations");
	jsonwrite_open(w, '{');
	jsonwrite_member(w, entry->key, entry->value);
	jsonwrite_close(w, '}');
	jsonwrite_close(w, '}');
}

static bool list_has(const struct json *list, const char *digest)
{
	size_t i, n = json_count(list);

	for (i = 0; i < n; i++) {
		const char *text = json_member_string(json_item(list, i), "digest");

		if (text && strcmp(text, digest) == 0)
			return true;
	}
	return false;
}

static void write_list(struct jsonwrite *w, const struct json *list,
		       const struct json *more, const struct referrer_entry *entry)
{
	size_t i, n = json_count(list);

	jsonwrite_open(w, '[');
	for (i = 0; i < n; i++)
		jsonwrite_value(w, json_item(list, i));
	for (i = 0; i < json_count(more); i++) {
		const struct json *other = json_item(more, i);
		const char *text = json_member_string(other, "digest");

		if (text && !list_has(list, text))
			jsonwrite_value(w, other);
	}
	if (entry)
		write_entry(w, entry);
	jsonwrite_close(w, ']');
}

static bool is_list(const struct json *j)
{
	const char *media = json_member_string(j, "mediaType");
	const struct json *list = json_member(j, "manifests");

	return list && json_type(list) == JSON_ARRAY &&
	       (!media || strcmp(media, MEDIA_OCI_INDEX) == 0);
}

/* Writes @old with the entries of @seen that it lacks, and @entry unless that is NULL. */
static int write_merged(const struct json *old, const struct json *seen,
			const struct referrer_entry *entry, struct buf *out)
{
	struct jsonwrite w;
	size_t i;

	jsonwrite_init(&w, out);
	jsonwrite_open(&w, '{');
	if (!old) {
		jsonwrite_member_number(&w, "schemaVersion", 2);
		jsonwrite_member(&w, "mediaType", MEDIA_OCI_INDEX);
		jsonwrite_key(&w, "manifests");
		write_list(&w, NULL, seen, entry);
	}
	for (i = 0; i < json_count(old); i++) {
		const char *key = json_key(old, i);

		jsonwrite_key(&w, key);
		if (strcmp(key, "manifests") == 0)
			write_list(&w, json_value(old, i), seen, entry);
		else
			jsonwrite_value(&w, json_value(old, i));
	}
	jsonwrite_close(&w, '}');
	return jsonwrite_finish(&w);
}

/* Does @old lack an entry of @seen? */
static bool lacks_any(const struct json *old, const struct json *seen)
{
	size_t i;

	for (i = 0; i < json_count(seen); i++) {
		const char *text = json_member_string(json_item(seen, i), "digest");

		if (text && !list_has(old, text))
			return true;
	}
	return false;
}

/* As referrer_tag_merge(), with a list @seen of entries that must be there, or NULL. */
static int merge(const struct json *old, const struct json *seen,
		 const struct referrer_entry *entry, struct buf *out)
{
	const struct json *list = json_member(old, "manifests");
	char text[DIGEST_TEXT_MAX];
	bool has_it = list_has(list, digest_format(&entry->digest, text));
	bool in_seen = list_has(seen, text);
	int rc;

	if (has_it && !lacks_any(list, seen))
		return 0;
	rc = write_merged(old, seen, has_it || in_seen ? NULL : entry, out);
	return rc < 0 ? rc : 1;
}

static int parse_list(const void *data, size_t len, struct json **out, struct err *e)
{
	struct json *j = NULL;
	int rc = json_parse(data, len, &j, e);

	if (rc == 0 && !is_list(j))
		rc = err_set(e, -EBADMSG, "it is not a list of referrers");
	if (rc < 0)
		json_free(j);
	else
		*out = j;
	return rc;
}

int referrer_tag_merge(const void *old, size_t len, const struct referrer_entry *entry,
		       struct buf *out, struct err *e)
{
	struct json *j = NULL;
	int rc = old ? parse_list(old, len, &j, e) : 0;

	if (rc == 0)
		rc = merge(j, NULL, entry, out);
	json_free(j);
	return rc;
}

/* The list in the repository */

struct list {
	struct buf bytes;
	char *etag;	   /* owned; NULL: none */
	struct json *json; /* NULL: there is no list */
};

static void list_release(struct list *l)
{
	buf_release(&l->bytes);
	free(l->etag);
	json_free(l->json);
	l->etag = NULL;
	l->json = NULL;
}

static int list_get(struct remote *r, const char *what, struct list *out, struct err *e)
{
	const struct remote_request rq = {
		.what = what,
		.accept = MEDIA_OCI_INDEX ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_LIST
					  ", " MEDIA_DOCKER_MANIFEST,
		.is_document = true,
	};
	struct body body = {.bytes = &out->bytes};
	int rc;

	buf_init(&out->bytes, DOCUMENT_MAX);
	out->etag = NULL;
	out->json = NULL;
	rc = body_get(r, &rq, &body, e);
	out->etag = body.etag;
	body.etag = NULL;
	body_release(&body);
	if (rc == -ENOENT)
		return 0;
	if (rc == 0)
		rc = parse_list(out->bytes.data, out->bytes.len, &out->json, e);
	if (rc < 0)
		err_prefix(e, rc, "%s", what);
	return rc;
}

struct adding {
	struct remote *remote;
	const struct referrer_entry *entry;
	char tag[REFERRER_TAG_MAX];
	struct json *seen; /* what was written last; owned */
};

/* 1: written, and to be read again; 0: the list has all. */
static int adding_round(struct adding *a, struct err *e)
{
	char what[sizeof("manifests/") + REFERRER_TAG_MAX];
	struct upload_manifest m = {.reference = a->tag, .media_type = MEDIA_OCI_INDEX};
	struct list l;
	struct buf merged;
	bool ignored;
	int rc;

	snprintf(what, sizeof(what), "manifests/%s", a->tag);
	buf_init(&merged, DOCUMENT_MAX);
	rc = list_get(a->remote, what, &l, e);
	if (rc == 0)
		rc = merge(l.json, json_member(a->seen, "manifests"), a->entry, &merged);
	if (rc == -E2BIG)
		err_set(e, rc, "%s: the list has no room for more", what);
	if (rc == 1) {
		m.data = merged.data;
		m.len = merged.len;
		m.if_match = l.etag;
		rc = upload_manifest(a->remote, &m, &ignored, e);
		json_free(a->seen);
		a->seen = NULL;
		if (rc == 0)
			rc = json_parse(merged.data, merged.len, &a->seen, e);
		/* another client was faster */
		rc = rc == 0 || rc == -ESTALE ? 1 : rc;
	}
	buf_release(&merged);
	list_release(&l);
	return rc;
}

int referrer_tag_add(struct remote *r, const struct digest *subject,
		     const struct referrer_entry *entry, struct err *e)
{
	struct adding a = {.remote = r, .entry = entry};
	struct retry retry;
	unsigned n = 0;
	int rc;

	referrer_tag_name(subject, a.tag);
	do {
		retry_init(&retry, remote_http(r), remote_deadline(r));
		rc = adding_round(&a, e);
		n++;
		/* those that write at once should not meet again */
	} while (rc == 1 && n < ROUNDS_MAX && (n == 1 || retry_wait(&retry, 0)));
	json_free(a.seen);
	if (rc == 1)
		return err_set(e, -EIO, "%s: others write it all the time", a.tag);
	return rc < 0 ? rc : n > 1;
}
