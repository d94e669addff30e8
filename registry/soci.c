/* SPDX-License-Identifier: MIT */
/*
 * The store keeps the result under the digest of the image manifest: the digest of the SOCI
 * index, whose bytes the store has as a document, or the fact that there is none. So only the
 * first mount of an image asks the registry, and later mounts get the same zTOCs, also offline.
 */
#include "registry/soci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/store/documents.h"
#include "registry/image/document_kind.h"
#include "registry/image/documents.h"
#include "registry/image/manifest.h"
#include "registry/trust/trust.h"

#define TYPE_V1	   "application/vnd.amazon.soci.index.v1+json"
#define TYPE_V2	   "application/vnd.amazon.soci.index.v2+json"
#define INDEX_KEY  "com.amazon.soci.index-digest"
#define LAYER_KEY  "com.amazon.soci.image-layer-digest"
#define NOTE_MAX   256
#define NOTED_NONE "none"

/* Notes */

#define NOTE_NAME_MAX (sizeof("soci ") + DIGEST_TEXT_MAX)

static const char *soci_note_name(const struct image *img, char *out)
{
	char text[DIGEST_TEXT_MAX];

	snprintf(out, NOTE_NAME_MAX, "soci %s",
		 digest_format(&img->manifest_descriptor.digest, text));
	return out;
}

/* 1: *out is known, 0: known to be absent, -ENOENT: not known. */
static int soci_recall(struct backend *b, const struct image *img, struct digest *out)
{
	char name[NOTE_NAME_MAX];
	struct buf note;
	int rc = -ENOENT;

	if (!b->store)
		return rc;
	buf_init(&note, NOTE_MAX);
	if (store_get_note(b->store, soci_note_name(img, name), &note) == 0) {
		if (strcmp(buf_text(&note), NOTED_NONE) == 0)
			rc = 0;
		else if (digest_parse(buf_text(&note), note.len, out) == 0)
			rc = 1;
	}
	buf_release(&note);
	return rc;
}

static void soci_remember(struct backend *b, const struct image *img, const char *what)
{
	char name[NOTE_NAME_MAX];

	if (b->store)
		(void)store_put_note(b->store, soci_note_name(img, name), what);
}

/* Finding */

static int soci_take_first(void *arg, const struct descriptor *d)
{
	*(struct digest *)arg = d->digest;
	return -ECANCELED;
}

/* 1: found, 0: there is none, or an error. */
static int soci_ask(struct backend *b, const struct image *img, struct digest *out,
		    struct err *e)
{
	const struct referrers_query q = {
		.of = &img->manifest_descriptor.digest,
		.type = TYPE_V1,
		.is_extra = true,
		.fn = soci_take_first,
		.arg = out,
	};
	const char *text = image_annotation(img, INDEX_KEY);
	int rc = 0;

	if (text)
		return digest_parse(text, strlen(text), out) == 0;
	if (b->ops->referrers)
		rc = b->ops->referrers(b, &q, e);
	return rc == -ECANCELED ? 1 : rc;
}

static void soci_set_ztoc(struct image *img, const struct digest *layer,
			  const struct descriptor *ztoc)
{
	size_t i;

	for (i = 0; i < img->n_layers; i++) {
		if (digest_equal(&img->layers[i].digest, layer)) {
			img->layers[i].ztoc = ztoc->digest;
			img->layers[i].ztoc_size = ztoc->size;
		}
	}
}

static void soci_set_ztocs(struct image *img, const struct manifest *m)
{
	struct digest layer;
	size_t i;

	for (i = 0; i < m->n_layers; i++) {
		const char *text = descriptor_annotation(&m->layers[i], LAYER_KEY);

		if (text && digest_parse(text, strlen(text), &layer) == 0)
			soci_set_ztoc(img, &layer, &m->layers[i]);
	}
}

static int soci_read_index(struct backend *b, const struct digest *digest,
			   struct image *img, struct err *e)
{
	struct descriptor d = {
		.digest = *digest,
		.size = DOCUMENT_SIZE_UNKNOWN,
		.media_type = (char *)MEDIA_OCI_MANIFEST,
	};
	struct manifest m = {0};
	struct buf bytes = {0};
	const char *type;
	int rc = document_get(b, &d, &bytes, e);

	if (rc == 0)
		rc = manifest_parse(bytes.data, bytes.len, &m, e);
	type = rc == 0 ? m.config.media_type : "";
	if (rc == 0 && strcmp(type, TYPE_V1) != 0 && strcmp(type, TYPE_V2) != 0)
		rc = err_set(e, -ENOTSUP, "it has the unsupported type %.100s", type);
	if (rc == 0)
		soci_set_ztocs(img, &m);
	manifest_release(&m);
	buf_release(&bytes);
	return rc;
}

/* What the manifest itself names needs no other signature than the manifest's. */
static int soci_check(struct backend *b, const struct trust *t, const struct image *img,
		      const struct digest *index, struct err *e)
{
	const char *text = image_annotation(img, INDEX_KEY);
	struct digest named;

	if (text && digest_parse(text, strlen(text), &named) == 0 &&
	    digest_equal(&named, index))
		return 0;
	return trust_check_artifact(t, b, index, e);
}

int soci_find(struct backend *b, const struct trust *t, struct image *img, bool may_ask,
	      struct err *e)
{
	char text[DIGEST_TEXT_MAX];
	struct digest digest;
	int rc = soci_recall(b, img, &digest);
	bool is_known = rc != -ENOENT, has_one;

	if (!is_known)
		rc = may_ask ? soci_ask(b, img, &digest, e) : 0;
	has_one = rc == 1;
	if (has_one)
		rc = soci_check(b, t, img, &digest, e);
	if (rc >= 0 && has_one)
		rc = soci_read_index(b, &digest, img, e);
	if (rc == 0 && may_ask && !is_known)
		soci_remember(b, img,
			      has_one ? digest_format(&digest, text) : NOTED_NONE);
	return rc < 0 ? err_prefix(e, rc, "the SOCI index of %s", b->name) : 0;
}
