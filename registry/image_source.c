/* SPDX-License-Identifier: MIT */
#include "registry/image_source.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "registry/beside.h"
#include "registry/image/backend.h"
#include "registry/image/documents.h"
#include "registry/image/manifest.h"
#include "registry/image/nested.h"
#include "registry/image/resolve.h"
#include "registry/remote/client.h"
#include "registry/remote/paging.h"
#include "registry/source_name.h"
#include "registry/trust/trust.h"

/*
 * The root document is read once and kept: if a tag moves while the image is mounted, its
 * platforms must not come from different versions.
 */
struct image_source {
	struct backend *backend;
	const struct trust *trust; /* borrowed from the client */
	/* held while the root is read, so that a second reader waits for the first */
	pthread_mutex_t lock;
	bool has_root;
	struct buf root;
	struct descriptor root_descriptor;
};

static int open_backend(const char *source, struct client *c, struct backend **out,
			struct err *e)
{
	const char *text;
	const struct source_kind *kind = source_name_kind(source, &text);
	int rc = source_name_check(source, e);

	if (rc < 0)
		return rc;
	rc = kind->open(source, text, c, out, e);
	if (rc < 0 && kind->is_local)
		source_name_restore(source, e);
	return rc;
}

int image_source_open(const char *source, struct client *c, struct image_source **out,
		      struct err *e)
{
	struct image_source *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	rc = open_backend(source, c, &s->backend, e);
	if (rc < 0) {
		free(s);
		return rc;
	}
	s->trust = client_trust(c);
	pthread_mutex_init(&s->lock, NULL);
	*out = s;
	return 0;
}

void image_source_close(struct image_source *s)
{
	if (!s)
		return;
	s->backend->ops->close(s->backend);
	descriptor_release(&s->root_descriptor);
	buf_release(&s->root);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

bool image_source_is_local(const struct image_source *s)
{
	return s->backend->is_local;
}

static int ensure_root(struct image_source *s, struct err *e)
{
	struct descriptor d = {0};
	struct buf bytes;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	if (!s->has_root) {
		buf_init(&bytes, DOCUMENT_MAX);
		rc = s->backend->ops->root(s->backend, &bytes, &d, e);
		if (rc == 0) {
			s->root = bytes;
			s->root_descriptor = d;
			s->has_root = true;
		} else {
			buf_release(&bytes);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* The gate of all images: what is not trusted leaves no trace of its content. */
static int admit(struct image_source *s, struct image *img, struct image **out,
		 struct err *e)
{
	int rc = trust_check_image(s->trust, s->backend, img, e);

	if (rc < 0)
		image_free(img);
	else
		*out = img;
	return rc;
}

int image_source_resolve(struct image_source *s, const struct platform *want,
			 struct image **out, struct err *e)
{
	struct image *img = NULL;
	int rc = ensure_root(s, e);

	/* The root is read-only from here on. */
	if (rc == 0)
		rc = resolve_image(s->backend, &s->root, &s->root_descriptor, want, &img,
				   e);
	return rc < 0 ? rc : admit(s, img, out, e);
}

int image_source_resolve_entry(struct image_source *s, const struct descriptor *entry,
			       struct image **out, struct err *e)
{
	struct image *img = NULL;
	int rc = ensure_root(s, e);

	if (rc == 0)
		rc = resolve_entry(s->backend, &s->root, &s->root_descriptor, entry, &img,
				   e);
	return rc < 0 ? rc : admit(s, img, out, e);
}

bool image_source_needs_signature(const struct image_source *s)
{
	return trust_needs_signature(s->trust, s->backend);
}

int image_source_document(struct image_source *s, const struct descriptor *d,
			  struct buf *out, struct err *e)
{
	return document_get(s->backend, d, out, e);
}

/* Entries of the index that BuildKit's annotation declares to be about @of. */
static int report_index_referrers(struct image_source *s, const struct referrers_query *q)
{
	char text[DIGEST_TEXT_MAX];
	struct entries root = {0}, en = {0};
	size_t i;
	int rc = 0;

	digest_format(q->of, text);
	rc = entries_parse_all(s->root.data, s->root.len, &root, NULL);
	if (rc < 0)
		return rc == -ENOMEM ? rc : 0; /* not an index */
	rc = nested_entries(s->backend, &root, &en);
	for (i = 0; i < en.n && rc == 0; i++) {
		const struct descriptor *d = &en.list[i];
		const char *about = descriptor_annotation(d,
							  "vnd.docker.reference.digest");

		if (about && strcmp(about, text) == 0)
			rc = referrers_query_report(q, d);
	}
	entries_release(&en);
	entries_release(&root);
	return rc;
}

int image_source_referrers(struct image_source *s, const struct digest *of,
			   const char *type, descriptor_fn *fn, void *arg, struct err *e)
{
	const struct referrers_query q = {.of = of, .type = type, .fn = fn, .arg = arg};
	int rc = ensure_root(s, e);

	if (rc == 0)
		rc = report_index_referrers(s, &q);
	if (rc == 0 && s->backend->ops->referrers)
		rc = s->backend->ops->referrers(s->backend, &q, e);
	return rc;
}

int image_source_find_beside(struct image_source *s, struct image *img, bool may_ask,
			     struct err *e)
{
	return beside_find(s->backend, s->trust, img, may_ask, e);
}

int image_source_push_indexes(struct image_source *s, const struct image *img,
			      const struct pushed_index *list, size_t n, bool dry_run,
			      struct push_report *out, struct err *e)
{
	return index_artifact_push(s->backend, img, list, n, dry_run, out, e);
}

int image_source_push_trace(struct image_source *s, const struct image *img,
			    const struct trace *t, bool dry_run, struct push_report *out,
			    struct err *e)
{
	return trace_artifact_push(s->backend, img, t, dry_run, out, e);
}

bool image_source_is_pinned(const struct image_source *s)
{
	return s->backend->is_pinned;
}

int image_source_blob(struct image_source *s, const struct descriptor *d,
		      struct source **out, struct err *e)
{
	return s->backend->ops->blob(s->backend, d, out, e);
}

int image_source_tag_digest(struct image_source *s, struct digest *out, struct err *e)
{
	int rc;

	if (s->backend->ops->tag_digest)
		return s->backend->ops->tag_digest(s->backend, out, e);
	rc = ensure_root(s, e);
	if (rc == 0)
		*out = s->root_descriptor.digest;
	return rc;
}

int image_source_tags(struct image_source *s, name_fn *fn, void *arg, struct err *e)
{
	if (!s->backend->ops->tags)
		return err_set(e, -ENOTSUP, "%s: not in a registry", s->backend->name);
	return s->backend->ops->tags(s->backend, fn, arg, e);
}

int image_source_probe(struct image_source *s, struct err *e)
{
	if (!s->backend->ops->probe)
		return err_set(e, -ENOTSUP, "%s: not in a registry", s->backend->name);
	return s->backend->ops->probe(s->backend, e);
}

int image_source_catalog(struct client *c, const char *host, name_fn *fn, void *arg,
			 struct err *e)
{
	return paging_catalog(c, host, fn, arg, e);
}
