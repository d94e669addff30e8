/* SPDX-License-Identifier: MIT */
/*
 * A signature holds for as long as its key is trusted. So what was good once is kept in the
 * store, as documents under their digests and a note with these, and the next mount verifies
 * the same bytes again without a request.
 */
#include "registry/trust/signatures.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/store/documents.h"
#include "registry/image/document_kind.h"
#include "registry/image/documents.h"
#include "registry/image/manifest.h"
#include "registry/trust/payload.h"

#define TYPE_BUNDLE   "application/vnd.dev.sigstore.bundle.v0.3+json"
#define TYPE_ARTIFACT "application/vnd.dev.cosign.artifact.sig.v1+json"

/* Documents that are read, good or not: each signature has its own, and some a manifest. */
#define DOCUMENTS_MAX (2 * SIGNATURES_MAX)

/* Manifests that hold a good signature; the note with their digests stays below 4 KiB. */
#define HOLDERS_MAX 16

#define NOTE_NAME_MAX (sizeof("signatures ") + DIGEST_TEXT_MAX)
#define NOTE_MAX      4096

struct search {
	struct backend *backend;
	signature_fn *fn;
	void *arg;
	bool has_types; /* descriptors tell what they are: leave out what is not a signature */
	bool is_enough;
	unsigned n;	      /* signatures */
	unsigned n_documents; /* that were read for them */
	struct digest holders[HOLDERS_MAX];
	size_t n_holders;
	struct err *err;
};

static void note_holder(struct search *s, const struct digest *holder)
{
	size_t i;

	for (i = 0; i < s->n_holders; i++) {
		if (digest_equal(&s->holders[i], holder))
			return;
	}
	if (i < HOLDERS_MAX)
		s->holders[s->n_holders++] = *holder;
}

/* @holder is NULL for what is not in a registry. */
static void report(struct search *s, const struct digest *holder,
		   const struct signature *one)
{
	enum signature_verdict v = s->fn(s->arg, one);

	s->n++;
	if (holder && v != SIGNATURE_USELESS)
		note_holder(s, holder);
	s->is_enough = v == SIGNATURE_ENOUGH;
}

static bool is_exhausted(const struct search *s)
{
	return s->is_enough || s->n >= SIGNATURES_MAX || s->n_documents >= DOCUMENTS_MAX;
}

/* Decodes base64 to @out, which gets a copy of it first. */
static int decode(const char *text, struct buf *out)
{
	int rc;

	buf_init(out, PAYLOAD_MAX);
	rc = buf_append_text(out, text);
	return rc == 0 && !base64_decode(out->data, &out->len) ? -EBADMSG : rc;
}

/* READING ONE */

/* @bytes is what @layer names, and is taken. */
static int read_simple(struct search *s, const struct digest *holder,
		       const struct descriptor *layer, const struct buf *bytes)
{
	const char *text = descriptor_annotation(layer, PAYLOAD_SIGNATURE_KEY);
	struct signature one = {.text = *bytes};
	int rc = text ? decode(text, &one.bytes) : -EBADMSG;

	if (rc == 0)
		report(s, holder, &one);
	buf_release(&one.bytes);
	return rc;
}

static int read_bundle(struct search *s, const struct digest *holder,
		       const struct buf *bytes)
{
	struct bundle b;
	int rc = bundle_parse(bytes->data, bytes->len, &b, NULL);

	if (rc == 0)
		report(s, holder,
		       &(struct signature){.text = b.statement,
					   .is_statement = true,
					   .signed_bytes = b.signed_bytes,
					   .bytes = b.signature});
	bundle_release(&b);
	return rc;
}

static int read_layer(struct search *s, const struct digest *holder,
		      const struct descriptor *layer)
{
	bool is_simple = strcmp(layer->media_type, PAYLOAD_SIMPLE_TYPE) == 0;
	struct buf bytes = {0};
	int rc;

	if (!is_simple && strcmp(layer->media_type, TYPE_BUNDLE) != 0)
		return 0;
	if (layer->size > PAYLOAD_MAX)
		return -E2BIG;
	s->n_documents++;
	rc = document_get(s->backend, layer, &bytes, s->err);
	if (rc == 0)
		rc = is_simple ? read_simple(s, holder, layer, &bytes)
			       : read_bundle(s, holder, &bytes);
	buf_release(&bytes);
	return rc;
}

/* What is broken is no signature; what cannot be fetched might be one. */
static bool is_failure(int code)
{
	return code < 0 && code != -EBADMSG && code != -E2BIG && code != -ENOENT &&
	       code != -ENOTSUP;
}

static int read_holder(struct search *s, const struct descriptor *d)
{
	struct manifest m = {0};
	struct buf bytes = {0};
	size_t i;
	int rc;

	s->n_documents++;
	rc = document_get(s->backend, d, &bytes, s->err);
	if (rc == 0)
		rc = manifest_parse(bytes.data, bytes.len, &m, NULL);
	for (i = 0; rc >= 0 && i < m.n_layers && !is_exhausted(s); i++) {
		rc = read_layer(s, &d->digest, &m.layers[i]);
		if (!is_failure(rc))
			rc = 0;
	}
	manifest_release(&m);
	buf_release(&bytes);
	return is_failure(rc) ? rc : 0;
}

/* THE STORE */

static const char *note_name(const struct digest *of, char *out)
{
	char text[DIGEST_TEXT_MAX];

	snprintf(out, NOTE_NAME_MAX, "signatures %s", digest_format(of, text));
	return out;
}

static void remember(const struct search *s, const struct digest *of)
{
	char name[NOTE_NAME_MAX], text[DIGEST_TEXT_MAX];
	struct buf note;
	size_t i;
	int rc = 0;

	buf_init(&note, NOTE_MAX);
	for (i = 0; i < s->n_holders && rc == 0; i++)
		rc = buf_printf(&note, "%s%s", i ? " " : "",
				digest_format(&s->holders[i], text));
	if (rc == 0 && s->n_holders > 0 && s->backend->store)
		(void)store_put_note(s->backend->store, note_name(of, name),
				     buf_text(&note));
	buf_release(&note);
}

/* Reads the holder if the store has all of it. */
static void recall_holder(struct search *s, const char *text, size_t len)
{
	struct descriptor d = {
		.size = DOCUMENT_SIZE_UNKNOWN,
		.media_type = (char *)(uintptr_t)MEDIA_OCI_MANIFEST,
	};

	if (digest_parse(text, len, &d.digest) == 0)
		(void)read_holder(s, &d);
}

static int refuse_document(struct backend *b, const struct descriptor *d,
			   struct buf *bytes, struct err *e)
{
	(void)b;
	(void)d;
	(void)bytes;
	return err_set(e, -ENOENT, "not in the store");
}

bool signatures_recall(struct backend *b, const struct digest *of, signature_fn *fn,
		       void *arg)
{
	static const struct backend_ops only_store = {.document = refuse_document};
	struct backend stored = {.ops = &only_store, .name = b->name, .store = b->store};
	struct search s = {.backend = &stored, .fn = fn, .arg = arg};
	char name[NOTE_NAME_MAX];
	struct buf note;
	const char *p;

	buf_init(&note, NOTE_MAX);
	if (b->store && store_get_note(b->store, note_name(of, name), &note) == 0) {
		for (p = buf_text(&note); *p && !s.is_enough; p += strspn(p, " ")) {
			recall_holder(&s, p, strcspn(p, " "));
			p += strcspn(p, " ");
		}
	}
	buf_release(&note);
	return s.is_enough;
}

/* THE REGISTRY */

static bool may_hold(const struct search *s, const struct descriptor *d)
{
	if (!s->has_types)
		return true;
	return d->artifact_type && (strcmp(d->artifact_type, TYPE_BUNDLE) == 0 ||
				    strcmp(d->artifact_type, TYPE_ARTIFACT) == 0);
}

static int on_referrer(void *arg, const struct descriptor *d)
{
	struct search *s = arg;
	int rc = may_hold(s, d) ? read_holder(s, d) : 0;

	return rc == 0 && is_exhausted(s) ? -ECANCELED : rc;
}

/* THE DISK */

static int read_file(struct search *s, const struct buf *bytes)
{
	struct signature_file f;
	int rc = signature_file_parse(bytes->data, bytes->len, &f, NULL);

	if (rc == 0)
		report(s, NULL,
		       &(struct signature){.text = f.payload, .bytes = f.signature});
	signature_file_release(&f);
	return rc == -ENOMEM ? rc : 0;
}

static int read_files(struct search *s, const struct digest *of)
{
	struct backend *b = s->backend;
	unsigned i;
	int rc = 0;

	for (i = 1; rc == 0 && !is_exhausted(s); i++) {
		struct buf bytes;

		s->n_documents++;
		buf_init(&bytes, PAYLOAD_MAX);
		rc = b->ops->signature(b, of, i, &bytes, s->err);
		if (rc == 0)
			rc = read_file(s, &bytes);
		buf_release(&bytes);
	}
	return rc == -ENOENT ? 0 : rc;
}

int signatures_ask(struct backend *b, const struct digest *of, signature_fn *fn,
		   void *arg, struct err *e)
{
	struct search s = {.backend = b, .fn = fn, .arg = arg, .err = e};
	struct referrers_query q = {
		.of = of, .part = REFERRERS_SIGNATURES, .fn = on_referrer, .arg = &s};
	int rc = 0;

	if (b->ops->signature)
		rc = read_files(&s, of);
	if (b->ops->referrers && rc == 0)
		rc = b->ops->referrers(b, &q, e);
	if (b->ops->referrers && rc == 0) {
		q.part = REFERRERS_LISTED;
		s.has_types = true;
		rc = b->ops->referrers(b, &q, e);
	}
	if (s.is_enough)
		remember(&s, of);
	return s.is_enough ? 1 : rc == -ECANCELED ? 0 : rc;
}
