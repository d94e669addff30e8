/* SPDX-License-Identifier: MIT */
/*
 * The store keeps the result under the repository and the digest of the image manifest: the
 * digest of the artifact, whose bytes the store has as a document, or the fact that there is
 * none. So only the first mount of an image asks the registry, and later mounts get the same
 * indexes, also offline. What one repository says holds for its own images only: another one
 * may have the same image. One request finds both kinds: it does not ask for an artifact type.
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
static int beside_note_name(const struct backend *b, const struct image *img, char **out)
{
	char text[DIGEST_TEXT_MAX], name[REFERENCE_TEXT_MAX];
	const char *where = b->name;
	struct reference r;

	if (!b->is_local && reference_parse(b->name, &r, NULL) == 0)
		where = reference_name(&r, name);
	digest_format(&img->manifest_descriptor.digest, text);
	return asprintf(out, "beside %s %s", text, where) < 0 ? -ENOMEM : 0;
}

/* 1: *out is known, 0: known to be absent, -ENOENT: not known. */
static int beside_recall(struct backend *b, const struct image *img, struct digest *out)
{
	char *name;
	struct buf note;
	int rc = -ENOENT;

	if (!b->store || beside_note_name(b, img, &name) < 0)
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

static void beside_remember(struct backend *b, const struct image *img, const char *what)
{
	char *name;

	if (!b->store || beside_note_name(b, img, &name) < 0)
		return;
	(void)store_put_note(b->store, name, what);
	free(name);
}

/* Finding */

struct found {
	struct backend *backend;
	const struct image *image;
	/* The first of each kind, or an own one that need not be fetched; DIGEST_NONE: none */
	struct digest own, soci;
	/* Some registries list the type of the config, and ours is empty. */
	struct digest untyped[UNTYPED_MAX];
	size_t n_untyped;
};

/*
 * Writes the manifest of an artifact from what the list of referrers says of it, so that it
 * need not be fetched: into the store, if it has the right digest. Has it?
 */
static bool beside_rewrite(const struct found *f, const struct descriptor *d)
{
	const char *blobs = descriptor_annotation(d, INDEX_ARTIFACT_BLOBS);
	struct digest have;
	struct buf bytes;
	bool is_right = false;

	if (!blobs || !f->backend->store)
		return false;
	buf_init(&bytes, DOCUMENT_MAX);
	if (index_artifact_write(f->image, blobs, &bytes) == 0 &&
	    digest_of(d->digest.alg, bytes.data, bytes.len, &have) == 0 &&
	    digest_equal(&have, &d->digest))
		is_right = store_put_document(f->backend->store, &d->digest, bytes.data,
					      bytes.len) == 0;
	buf_release(&bytes);
	return is_right;
}

static int beside_take(void *arg, const struct descriptor *d)
{
	struct found *f = arg;
	const char *type = d->artifact_type ? d->artifact_type : "";

	if (strcmp(type, INDEX_ARTIFACT_TYPE) == 0 && beside_rewrite(f, d)) {
		f->own = d->digest;
		return -ECANCELED;
	}
	if (strcmp(type, INDEX_ARTIFACT_TYPE) == 0 && f->own.alg == DIGEST_NONE)
		f->own = d->digest;
	if (strcmp(type, SOCI_V1) == 0 && f->soci.alg == DIGEST_NONE)
		f->soci = d->digest;
	if ((!*type || strcmp(type, INDEX_ARTIFACT_CONFIG) == 0) &&
	    f->n_untyped < UNTYPED_MAX)
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

/* 1: found, 0: there is none, or an error. */
static int beside_ask(struct backend *b, const struct image *img, struct digest *out,
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

	if (text)
		return digest_parse(text, strlen(text), out) == 0;
	if (b->ops->referrers)
		rc = b->ops->referrers(b, &q, e);
	/* -ECANCELED is also said when the mount ends. */
	if (rc < 0 && (rc != -ECANCELED || f.own.alg == DIGEST_NONE))
		return rc;
	rc = beside_look_into(&f, e);
	if (rc < 0)
		return rc;
	*out = f.own.alg != DIGEST_NONE ? f.own : f.soci;
	return out->alg != DIGEST_NONE;
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

int beside_find(struct backend *b, const struct trust *t, struct image *img, bool may_ask,
		struct err *e)
{
	char text[DIGEST_TEXT_MAX];
	struct digest digest;
	int rc = beside_recall(b, img, &digest);
	bool is_known = rc != -ENOENT, has_one;

	if (!is_known)
		rc = may_ask ? beside_ask(b, img, &digest, e) : 0;
	has_one = rc == 1;
	if (has_one)
		rc = beside_check(b, t, img, &digest, e);
	if (rc >= 0 && has_one)
		rc = beside_read(b, &digest, img, e);
	if (rc == 0 && may_ask && !is_known)
		beside_remember(b, img,
				has_one ? digest_format(&digest, text) : NOTED_NONE);
	return rc < 0 ? err_prefix(e, rc, "the indexes beside %s", b->name) : 0;
}
