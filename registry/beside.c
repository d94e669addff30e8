/* SPDX-License-Identifier: MIT */
/*
 * The store keeps the result under the repository and the digest of the image manifest: the
 * digest of the artifact, whose bytes the store has as a document, or the fact that there is
 * none. So only the first mount of an image asks the registry, and later mounts get the same
 * indexes, also offline. What one repository says holds for its own images only: another one
 * may have the same image. One request finds all kinds: it does not ask for an artifact type.
 */
#include "registry/beside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/store/documents.h"
#include "registry/image/document_kind.h"
#include "registry/image/documents.h"
#include "registry/image/manifest.h"
#include "registry/index_artifact.h"
#include "registry/trust/trust.h"

#define SOCI_V1	   "application/vnd.amazon.soci.index.v1+json"
#define SOCI_V2	   "application/vnd.amazon.soci.index.v2+json"
#define SOCI_KEY   "com.amazon.soci.index-digest"
#define SOCI_LAYER "com.amazon.soci.image-layer-digest"
#define NOTE_MAX   256
#define NOTED_NONE "none"
/* How many referrers of an unknown type are looked into */
#define UNTYPED_MAX 8

/* Notes */

/* The repository; on disk, the whole source. -ENOMEM. */
static int beside_note_name(const struct backend *b, const struct image *img,
			    enum beside_kind kind, char **out)
{
	char text[DIGEST_TEXT_MAX], name[REFERENCE_TEXT_MAX];
	const char *where = b->name;
	struct reference r;

	if (!b->is_local && reference_parse(b->name, &r, NULL) == 0)
		where = reference_name(&r, name);
	digest_format(&img->manifest_descriptor.digest, text);
	return asprintf(out, "%s %s %s", kind == BESIDE_INDEXES ? "beside" : "trace",
			text, where) < 0
		       ? -ENOMEM
		       : 0;
}

/* 1: *out is known, 0: known to be absent, -ENOENT: not known. */
static int beside_recall(struct backend *b, const struct image *img,
			 enum beside_kind kind, struct digest *out)
{
	char *name;
	struct buf note;
	int rc = -ENOENT;

	if (!b->store || beside_note_name(b, img, kind, &name) < 0)
		return rc;
	buf_init(&note, NOTE_MAX);
	if (store_get_note(b->store, name, &note) == 0) {
		if (strcmp(buf_text(&note), NOTED_NONE) == 0)
			rc = 0;
		else if (digest_parse(buf_text(&note), note.len, out) == 0)
			rc = 1;
	}
	buf_release(&note);
	free(name);
	return rc;
}

static void beside_remember(struct backend *b, const struct image *img,
			    enum beside_kind kind, const char *what)
{
	char *name;

	if (!b->store || beside_note_name(b, img, kind, &name) < 0)
		return;
	(void)store_put_note(b->store, name, what);
	free(name);
}

/* Finding */

struct found {
	struct backend *backend;
	const struct image *image;
	/* The first of each kind, or an own one that need not be fetched; DIGEST_NONE: none */
	struct digest own, soci, trace;
	bool need_not_fetch_own;
	uint64_t trace_bytes; /* of one that need not be fetched */
	/* Some registries list the type of the config, and ours is empty. */
	struct digest untyped[UNTYPED_MAX];
	size_t n_untyped;
};

/*
 * Writes the manifest of an artifact from what the list of referrers says of it, so that it
 * need not be fetched: into the store, if it has the right digest. Has it?
 */
static bool beside_rewrite(const struct found *f, enum beside_kind kind,
			   const struct descriptor *d)
{
	const char *value = descriptor_annotation(d, index_artifact_key(kind));
	struct digest have;
	struct buf bytes;
	bool is_right = false;

	if (!value || !f->backend->store)
		return false;
	buf_init(&bytes, DOCUMENT_MAX);
	if (index_artifact_write(f->image, kind, value, &bytes) == 0 &&
	    digest_of(d->digest.alg, bytes.data, bytes.len, &have) == 0 &&
	    digest_equal(&have, &d->digest))
		is_right = store_put_document(f->backend->store, &d->digest, bytes.data,
					      bytes.len) == 0;
	buf_release(&bytes);
	return is_right;
}

static void take_own(struct found *f, const struct descriptor *d)
{
	if (f->need_not_fetch_own)
		return;
	f->need_not_fetch_own = beside_rewrite(f, BESIDE_INDEXES, d);
	if (f->need_not_fetch_own || f->own.alg == DIGEST_NONE)
		f->own = d->digest;
}

/* The largest of those whose ranges the list has: there may be one for each program. */
static void take_trace(struct found *f, const struct descriptor *d)
{
	const char *text = descriptor_annotation(d, TRACE_ARTIFACT_RANGES);
	struct trace t;
	uint64_t bytes;

	if (f->trace.alg == DIGEST_NONE)
		f->trace = d->digest;
	if (!text || trace_parse(text, &t) < 0)
		return;
	bytes = trace_bytes(&t);
	trace_release(&t);
	if (bytes <= f->trace_bytes || !beside_rewrite(f, BESIDE_TRACE, d))
		return;
	f->trace = d->digest;
	f->trace_bytes = bytes;
}

static int beside_take(void *arg, const struct descriptor *d)
{
	struct found *f = arg;
	const char *type = d->artifact_type ? d->artifact_type : "";

	if (strcmp(type, INDEX_ARTIFACT_TYPE) == 0)
		take_own(f, d);
	if (strcmp(type, TRACE_ARTIFACT_TYPE) == 0)
		take_trace(f, d);
	if (strcmp(type, SOCI_V1) == 0 && f->soci.alg == DIGEST_NONE)
		f->soci = d->digest;
	if (*type && strcmp(type, INDEX_ARTIFACT_CONFIG) != 0)
		return 0;
	if (descriptor_annotation(d, TRACE_ARTIFACT_RANGES))
		take_trace(f, d);
	else if (f->n_untyped < UNTYPED_MAX)
		f->untyped[f->n_untyped++] = d->digest;
	return 0;
}

/* Is it of a kind that can be used? */
static int check_type(const struct manifest *m, bool *is_pushed, struct err *e)
{
	const char *type = m->artifact_type ? m->artifact_type : m->config.media_type;

	*is_pushed = strcmp(type, INDEX_ARTIFACT_TYPE) == 0;
	type = *is_pushed ? type : m->config.media_type;
	if (*is_pushed || strcmp(type, SOCI_V1) == 0 || strcmp(type, SOCI_V2) == 0)
		return 0;
	return err_set(e, -ENOTSUP, "it has the unsupported type %.100s", type);
}

/* The manifest of an artifact of a usable kind, to be released. -ENOTSUP: of another kind. */
static int beside_get(struct backend *b, const struct digest *digest,
		      struct manifest *out, bool *is_pushed, struct err *e)
{
	struct descriptor d = {
		.digest = *digest,
		.size = DOCUMENT_SIZE_UNKNOWN,
		.media_type = (char *)MEDIA_OCI_MANIFEST,
	};
	struct buf bytes = {0};
	int rc = document_get(b, &d, &bytes, e);

	if (rc == 0)
		rc = manifest_parse(bytes.data, bytes.len, out, e);
	if (rc == 0)
		rc = check_type(out, is_pushed, e);
	buf_release(&bytes);
	return rc;
}

/* Looks for an own one among those of an unknown type. What is no such artifact is skipped. */
static int beside_look_into(struct found *f, struct err *e)
{
	size_t i;

	for (i = 0; i < f->n_untyped && f->own.alg == DIGEST_NONE; i++) {
		struct manifest m = {0};
		bool is_pushed = false;
		int rc = beside_get(f->backend, &f->untyped[i], &m, &is_pushed, e);

		manifest_release(&m);
		if (rc == 0 && is_pushed)
			f->own = f->untyped[i];
		else if (rc < 0 && rc != -ENOTSUP && rc != -EBADMSG && rc != -ENOENT)
			return rc;
	}
	return 0;
}

/* What the registry has beside an image. */
struct answer {
	struct digest indexes, trace; /* DIGEST_NONE: none */
};

/* 0 or an error. */
static int beside_ask(struct backend *b, const struct image *img, struct answer *out,
		      struct err *e)
{
	struct found f = {.backend = b, .image = img};
	const struct referrers_query q = {
		.of = &img->manifest_descriptor.digest,
		.is_extra = true,
		.fn = beside_take,
		.arg = &f,
	};
	const char *text = image_annotation(img, SOCI_KEY);
	int rc = 0;

	if (text) {
		if (digest_parse(text, strlen(text), &out->indexes) < 0)
			out->indexes.alg = DIGEST_NONE;
		return 0;
	}
	if (b->ops->referrers)
		rc = b->ops->referrers(b, &q, e);
	if (rc < 0 && f.own.alg == DIGEST_NONE)
		return rc;
	rc = beside_look_into(&f, e);
	if (rc < 0)
		return rc;
	out->indexes = f.own.alg != DIGEST_NONE ? f.own : f.soci;
	out->trace = f.trace;
	return 0;
}

static void beside_set(struct image *img, const struct digest *layer,
		       const struct descriptor *blob, bool is_pushed)
{
	size_t i;

	for (i = 0; i < img->n_layers; i++) {
		if (digest_equal(&img->layers[i].digest, layer)) {
			img->layers[i].beside = blob->digest;
			img->layers[i].beside_size = blob->size;
			img->layers[i].is_pushed = is_pushed;
		}
	}
}

static void beside_set_all(struct image *img, const struct manifest *m, bool is_pushed)
{
	const char *key = is_pushed ? INDEX_ARTIFACT_LAYER : SOCI_LAYER;
	struct digest layer;
	size_t i;

	for (i = 0; i < m->n_layers; i++) {
		const char *text = descriptor_annotation(&m->layers[i], key);

		if (text && digest_parse(text, strlen(text), &layer) == 0)
			beside_set(img, &layer, &m->layers[i], is_pushed);
	}
}

static int beside_read(struct backend *b, const struct digest *digest, struct image *img,
		       struct err *e)
{
	struct manifest m = {0};
	bool is_pushed = false;
	int rc = beside_get(b, digest, &m, &is_pushed, e);

	if (rc == 0) {
		beside_set_all(img, &m, is_pushed);
		img->beside = *digest;
	}
	manifest_release(&m);
	return rc;
}

/*
 * May the artifact be used? What the manifest itself names needs no other signature than the
 * manifest's.
 */
static int beside_check(struct backend *b, const struct trust *t, const struct image *img,
			const struct digest *artifact, struct err *e)
{
	const char *text = image_annotation(img, SOCI_KEY);
	struct digest named;

	if (text && digest_parse(text, strlen(text), &named) == 0 &&
	    digest_equal(&named, artifact))
		return 0;
	return trust_check_artifact(t, b, artifact, e);
}

static void remember(struct backend *b, const struct image *img, enum beside_kind kind,
		     const struct digest *d)
{
	char text[DIGEST_TEXT_MAX];

	beside_remember(b, img, kind,
			d->alg == DIGEST_NONE ? NOTED_NONE : digest_format(d, text));
}

static int trace_read(struct backend *b, const struct digest *digest, struct image *img,
		      struct err *e)
{
	struct descriptor d = {
		.digest = *digest,
		.size = DOCUMENT_SIZE_UNKNOWN,
		.media_type = (char *)MEDIA_OCI_MANIFEST,
	};
	struct manifest m = {0};
	struct buf bytes = {0};
	const char *text = NULL;
	int rc = document_get(b, &d, &bytes, e);

	if (rc == 0)
		rc = manifest_parse(bytes.data, bytes.len, &m, e);
	if (rc == 0)
		text = annotations_find(m.annotations, m.n_annotations,
					TRACE_ARTIFACT_RANGES);
	if (rc == 0 && (!text || trace_parse(text, &img->trace) < 0))
		rc = err_set(e, -EBADMSG, "what programs read first is malformed");
	manifest_release(&m);
	buf_release(&bytes);
	return rc;
}

/* Reads what was found. Nobody misses a trace, so one that cannot be used is forgotten. */
static int beside_use(struct backend *b, const struct trust *t, struct image *img,
		      struct answer *found, struct err *e)
{
	int rc = 0;

	if (found->indexes.alg != DIGEST_NONE) {
		rc = beside_check(b, t, img, &found->indexes, e);
		if (rc == 0)
			rc = beside_read(b, &found->indexes, img, e);
	}
	if (rc == 0 && found->trace.alg != DIGEST_NONE &&
	    (trust_check_artifact(t, b, &found->trace, NULL) < 0 ||
	     trace_read(b, &found->trace, img, NULL) < 0))
		found->trace.alg = DIGEST_NONE;
	return rc;
}

int beside_find(struct backend *b, const struct trust *t, struct image *img, bool may_ask,
		struct err *e)
{
	struct answer found = {.indexes = {.alg = DIGEST_NONE}};
	bool is_known = beside_recall(b, img, BESIDE_INDEXES, &found.indexes) != -ENOENT;
	int rc = 0;

	if (is_known)
		(void)beside_recall(b, img, BESIDE_TRACE, &found.trace);
	else if (may_ask)
		rc = beside_ask(b, img, &found, e);
	if (rc == 0)
		rc = beside_use(b, t, img, &found, e);
	if (rc == 0 && may_ask && !is_known) {
		remember(b, img, BESIDE_INDEXES, &found.indexes);
		remember(b, img, BESIDE_TRACE, &found.trace);
	}
	return rc < 0 ? err_prefix(e, rc, "the indexes beside %s", b->name) : 0;
}
