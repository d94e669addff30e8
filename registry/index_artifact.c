/* SPDX-License-Identifier: MIT */
#include "registry/index_artifact.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jsonwrite.h"
#include "base/num.h"
#include "registry/image/backend.h"
#include "registry/image/document_kind.h"
#include "registry/image/image.h"
#include "registry/remote/referrer_tag.h"
#include "registry/remote/referrers.h"
#include "registry/remote/remote.h"
#include "registry/remote/upload.h"

/* The empty descriptor of the image-spec, manifest.md. */
#define EMPTY_TEXT "{}"

/* The manifest */

static int blob_digest(const void *data, size_t len, struct digest *out)
{
	return digest_of(DIGEST_SHA256, data, len, out);
}

static void write_descriptor(struct jsonwrite *w, const char *type,
			     const struct digest *d, uint64_t size)
{
	char text[DIGEST_TEXT_MAX];

	jsonwrite_member(w, "mediaType", type);
	jsonwrite_member(w, "digest", digest_format(d, text));
	jsonwrite_member_number(w, "size", (int64_t)size);
}

/* One item of the annotation: the layer's number, and its blob. */
struct item {
	size_t layer;
	struct digest blob;
	uint64_t size;
};

/* Takes the item at *text and moves behind it. */
static bool take_item(const char **text, struct item *out)
{
	char digest[DIGEST_TEXT_MAX];
	size_t len = strcspn(*text, " ");
	const char *equals = memchr(*text, '=', len), *colon = memchr(*text, ':', len);
	const char *end = *text + len;
	uint64_t layer;

	if (!equals || !colon || colon < equals || colon - equals - 1 != 64 ||
	    !num_parse(*text, (size_t)(equals - *text), IMAGE_LAYERS_MAX, &layer) ||
	    !num_parse(colon + 1, (size_t)(end - colon - 1), INT64_MAX, &out->size))
		return false;
	snprintf(digest, sizeof(digest), "sha256:%.64s", equals + 1);
	out->layer = (size_t)layer;
	*text = end + (*end == ' ');
	return digest_parse(digest, strlen(digest), &out->blob) == 0;
}

static int write_indexes(struct jsonwrite *w, const struct image *img, const char *blobs)
{
	char text[DIGEST_TEXT_MAX];
	struct item item;

	while (*blobs) {
		if (!take_item(&blobs, &item) || item.layer >= img->n_layers)
			return -EBADMSG;
		jsonwrite_open(w, '{');
		write_descriptor(w, INDEX_ARTIFACT_BLOB, &item.blob, item.size);
		jsonwrite_key(w, "annotations");
		jsonwrite_open(w, '{');
		jsonwrite_member(w, INDEX_ARTIFACT_LAYER,
				 digest_format(&img->layers[item.layer].digest, text));
		jsonwrite_close(w, '}');
		jsonwrite_close(w, '}');
	}
	return 0;
}

static void write_empty(struct jsonwrite *w, const struct digest *empty)
{
	jsonwrite_open(w, '{');
	write_descriptor(w, INDEX_ARTIFACT_CONFIG, empty, strlen(EMPTY_TEXT));
	jsonwrite_close(w, '}');
}

/* A manifest must have a layer, so an artifact without any has the empty one. */
static int write_layers(struct jsonwrite *w, const struct image *img,
			enum beside_kind kind, const char *value,
			const struct digest *empty)
{
	int rc = 0;

	jsonwrite_key(w, "layers");
	jsonwrite_open(w, '[');
	if (kind == BESIDE_INDEXES)
		rc = write_indexes(w, img, value);
	else
		write_empty(w, empty);
	jsonwrite_close(w, ']');
	return rc;
}

const char *index_artifact_type(enum beside_kind kind)
{
	return kind == BESIDE_INDEXES ? INDEX_ARTIFACT_TYPE : TRACE_ARTIFACT_TYPE;
}

const char *index_artifact_key(enum beside_kind kind)
{
	return kind == BESIDE_INDEXES ? INDEX_ARTIFACT_BLOBS : TRACE_ARTIFACT_RANGES;
}

int index_artifact_write(const struct image *img, enum beside_kind kind,
			 const char *value, struct buf *out)
{
	const struct descriptor *subject = &img->manifest_descriptor;
	struct digest empty;
	struct jsonwrite w;
	int rc = blob_digest(EMPTY_TEXT, strlen(EMPTY_TEXT), &empty);

	if (rc < 0)
		return rc;
	jsonwrite_init(&w, out);
	jsonwrite_open(&w, '{');
	jsonwrite_member_number(&w, "schemaVersion", 2);
	jsonwrite_member(&w, "mediaType", MEDIA_OCI_MANIFEST);
	jsonwrite_member(&w, "artifactType", index_artifact_type(kind));
	jsonwrite_key(&w, "config");
	write_empty(&w, &empty);
	rc = write_layers(&w, img, kind, value, &empty);
	if (rc < 0)
		return rc;
	jsonwrite_key(&w, "subject");
	jsonwrite_open(&w, '{');
	write_descriptor(&w, subject->media_type, &subject->digest, subject->size);
	jsonwrite_close(&w, '}');
	jsonwrite_key(&w, "annotations");
	jsonwrite_open(&w, '{');
	jsonwrite_member(&w, index_artifact_key(kind), value);
	jsonwrite_close(&w, '}');
	jsonwrite_close(&w, '}');
	return jsonwrite_finish(&w);
}

/* The annotation for these indexes. */
static int write_blobs(const struct image *img, const struct pushed_index *list, size_t n,
		       struct buf *out)
{
	char hex[DIGEST_TEXT_MAX];
	struct digest d;
	size_t i, at;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++) {
		at = 0;
		while (!digest_equal(&img->layers[at].digest, list[i].layer))
			at++;
		rc = blob_digest(list[i].data, list[i].len, &d);
		if (rc == 0)
			rc = buf_printf(out, "%s%zu=%s:%zu", i ? " " : "", at,
					digest_hex(&d, hex), list[i].len);
	}
	return rc;
}

/* Pushing */

struct pushing {
	struct remote *remote;
	const struct image *image;
	enum beside_kind kind;
	struct buf value; /* the annotation */
	struct buf manifest;
	struct push_report report;
	struct err *e;
};

static int push_blob(struct pushing *p, const void *data, size_t len)
{
	struct digest d;
	int rc = blob_digest(data, len, &d);

	if (rc == 0)
		rc = upload_blob(p->remote, &d, data, len, UPLOAD_PART, p->e);
	if (rc == 1)
		p->report.sent += len;
	return rc < 0 ? rc : 0;
}

static int is_ours(void *arg, const struct descriptor *d)
{
	const struct pushing *p = arg;

	return digest_equal(&d->digest, &p->report.artifact) ? -EEXIST : 0;
}

/*
 * The registry did not say that it has noted the subject. It may have done so before. Without
 * the API, clients keep the list. All types are asked for, because some registries list the
 * type of the config instead.
 */
static int list_artifact(struct pushing *p)
{
	const struct digest *subject = &p->image->manifest_descriptor.digest;
	const struct referrers_query q = {
		.of = subject,
		.fn = is_ours,
		.arg = p,
	};
	const struct referrer_entry entry = {
		.digest = p->report.artifact,
		.size = p->manifest.len,
		.media_type = MEDIA_OCI_MANIFEST,
		.artifact_type = index_artifact_type(p->kind),
		.key = index_artifact_key(p->kind),
		.value = buf_text(&p->value),
	};
	int rc = referrers_by_api(p->remote, &q, p->e);

	if (rc == -EEXIST)
		return 0;
	if (rc == 0)
		return err_set(
			p->e, -EIO,
			"the registry has taken the artifact, but does not list it "
			"as a referrer of the image");
	if (rc != -ENOSYS)
		return rc;
	rc = referrer_tag_add(p->remote, subject, &entry, p->e);
	return rc < 0 ? rc : 0;
}

static int push_manifest(struct pushing *p)
{
	char text[DIGEST_TEXT_MAX];
	const struct upload_manifest m = {
		.reference = digest_format(&p->report.artifact, text),
		.media_type = MEDIA_OCI_MANIFEST,
		.data = p->manifest.data,
		.len = p->manifest.len,
	};
	bool is_listed = false;
	int rc = upload_has(p->remote, &p->report.artifact, true, p->e);

	if (rc == 0) {
		rc = upload_manifest(p->remote, &m, &is_listed, p->e);
		p->report.sent += rc == 0 ? m.len : 0;
	}
	if (rc < 0)
		return rc;
	return is_listed ? 0 : list_artifact(p);
}

static int push_all(struct pushing *p, const struct pushed_index *list, size_t n)
{
	int rc = push_blob(p, EMPTY_TEXT, strlen(EMPTY_TEXT));
	size_t i;

	for (i = 0; i < n && rc == 0; i++)
		rc = push_blob(p, list[i].data, list[i].len);
	return rc == 0 ? push_manifest(p) : rc;
}

/* What to do about a refusal. */
static const char *push_advice(int code)
{
	switch (code) {
	case -EACCES:
		return "; log in as a user who may push there";
	case -ENOTSUP:
		return "; this registry cannot be pushed to";
	case -EFBIG:
		return "; the registry takes nothing so large";
	case -ENOSPC:
		return "; the registry is full";
	default:
		return "";
	}
}

static int open_writer(struct backend *b, struct remote **out, struct err *e)
{
	if (!b->ops->writer)
		return err_set(e, -ENOTSUP,
			       "%s: not in a registry, so nothing can be pushed",
			       b->name);
	return b->ops->writer(b, out, e);
}

/* Writes the manifest for the annotation p->value. */
static int prepare(struct pushing *p)
{
	int rc;

	buf_init(&p->manifest, DOCUMENT_MAX);
	rc = index_artifact_write(p->image, p->kind, buf_text(&p->value), &p->manifest);
	if (rc == 0)
		rc = blob_digest(p->manifest.data, p->manifest.len, &p->report.artifact);
	p->report.size = p->manifest.len + strlen(EMPTY_TEXT);
	return rc;
}

/* The manifest is written. */
static int push_to(struct pushing *p, struct backend *b, const struct pushed_index *list,
		   size_t n, bool dry_run, struct err *e)
{
	struct err why;
	int rc = open_writer(b, &p->remote, e);

	if (rc == 0 && !dry_run) {
		p->e = &why;
		rc = push_all(p, list, n);
		if (rc < 0)
			err_set(e, rc, "cannot push to the repository of %s: %s%s",
				b->name, why.text, push_advice(rc));
	}
	remote_free(p->remote);
	return rc;
}

int index_artifact_push(struct backend *b, const struct image *img,
			const struct pushed_index *list, size_t n, bool dry_run,
			struct push_report *out, struct err *e)
{
	struct pushing p = {.image = img, .kind = BESIDE_INDEXES};
	size_t i;
	int rc;

	buf_init(&p.value, DOCUMENT_MAX);
	rc = write_blobs(img, list, n, &p.value);
	if (rc == 0)
		rc = prepare(&p);
	for (i = 0; i < n; i++)
		p.report.size += list[i].len;
	if (rc < 0)
		err_set(e, rc, "cannot write the manifest: %s", strerror(-rc));
	else
		rc = push_to(&p, b, list, n, dry_run, e);
	buf_release(&p.manifest);
	buf_release(&p.value);
	if (rc == 0)
		*out = p.report;
	return rc;
}

int trace_artifact_push(struct backend *b, const struct image *img, const struct trace *t,
			bool dry_run, struct push_report *out, struct err *e)
{
	struct pushing p = {.image = img, .kind = BESIDE_TRACE};
	int rc;

	buf_init(&p.value, TRACE_TEXT_MAX);
	rc = trace_write(t, &p.value);
	if (rc == 0)
		rc = prepare(&p);
	if (rc < 0)
		err_set(e, rc, "cannot write the manifest: %s", strerror(-rc));
	else
		rc = push_to(&p, b, NULL, 0, dry_run, e);
	buf_release(&p.manifest);
	buf_release(&p.value);
	if (rc == 0)
		*out = p.report;
	return rc;
}
