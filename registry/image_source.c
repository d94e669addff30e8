/* SPDX-License-Identifier: MIT */
#include "registry/image_source.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "registry/image/backend.h"
#include "registry/image/documents.h"
#include "registry/image/manifest.h"
#include "registry/image/resolve.h"
#include "registry/remote/paging.h"
#include "registry/soci.h"
#include "registry/source_name.h"

/*
 * The root document is asked once and kept: a tag that moves while the image is
 * mounted must not make one platform newer than another.
 */
struct image_source {
	struct backend *backend;
	/* held while the root is asked: a second one waits for it */
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

	return rc < 0 ? rc : kind->open(source, text, c, out, e);
}

int image_source_open(const char *source, struct client *c, struct image_source **out,
		      struct err *e)
{
	struct image_source *o = calloc(1, sizeof(*o));
	int rc;

	if (!o)
		return err_set(e, -ENOMEM, "out of memory");
	rc = open_backend(source, c, &o->backend, e);
	if (rc < 0) {
		free(o);
		return rc;
	}
	pthread_mutex_init(&o->lock, NULL);
	*out = o;
	return 0;
}

void image_source_close(struct image_source *o)
{
	if (!o)
		return;
	o->backend->ops->close(o->backend);
	descriptor_release(&o->root_descriptor);
	buf_release(&o->root);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

bool image_source_is_local(const struct image_source *o)
{
	return o->backend->is_local;
}

static int ensure_root(struct image_source *o, struct err *e)
{
	struct descriptor d = {0};
	struct buf bytes;
	int rc = 0;

	pthread_mutex_lock(&o->lock);
	if (!o->has_root) {
		buf_init(&bytes, DOCUMENT_MAX);
		rc = o->backend->ops->root(o->backend, &bytes, &d, e);
		if (rc == 0) {
			o->root = bytes;
			o->root_descriptor = d;
			o->has_root = true;
		} else {
			buf_release(&bytes);
		}
	}
	pthread_mutex_unlock(&o->lock);
	return rc;
}

int image_source_resolve(struct image_source *o, const struct platform *want,
			 struct image **out, struct err *e)
{
	int rc = ensure_root(o, e);

	if (rc < 0)
		return rc;
	/* From here on the root is read-only. */
	return resolve_image(o->backend, &o->root, &o->root_descriptor, want, out, e);
}

int image_source_resolve_entry(struct image_source *o, const struct descriptor *entry,
			       struct image **out, struct err *e)
{
	int rc = ensure_root(o, e);

	if (rc < 0)
		return rc;
	return resolve_entry(o->backend, &o->root, &o->root_descriptor, entry, out, e);
}

int image_source_document(struct image_source *o, const struct descriptor *d,
			  struct buf *out, struct err *e)
{
	return document_get(o->backend, d, out, e);
}

/* Entries of the index itself that say that they are about @of. */
static int tell_own(struct image_source *o, const struct digest *of, const char *type,
		    descriptor_fn *fn, void *arg)
{
	char text[DIGEST_TEXT_MAX];
	struct entries en = {0};
	size_t i;
	int rc = 0;

	digest_format(of, text);
	rc = entries_parse_all(o->root.data, o->root.len, &en, NULL);
	if (rc < 0)
		return rc == -ENOMEM ? rc : 0; /* it is no index */
	for (i = 0; i < en.n && rc == 0; i++) {
		const struct descriptor *d = &en.list[i];
		const char *about = descriptor_annotation(d,
							  "vnd.docker.reference.digest");

		if (about && strcmp(about, text) == 0 &&
		    (!type || (d->artifact_type && strcmp(d->artifact_type, type) == 0)))
			rc = fn(arg, d);
	}
	entries_release(&en);
	return rc;
}

int image_source_referrers(struct image_source *o, const struct digest *of,
			   const char *type, descriptor_fn *fn, void *arg, struct err *e)
{
	int rc = ensure_root(o, e);

	if (rc == 0)
		rc = tell_own(o, of, type, fn, arg);
	if (rc == 0 && o->backend->ops->referrers)
		rc = o->backend->ops->referrers(o->backend, of, type, false, fn, arg, e);
	return rc;
}

int image_source_find_tocs(struct image_source *o, struct image *img, bool may_ask,
			   struct err *e)
{
	return soci_find(o->backend, img, may_ask, e);
}

bool image_source_is_pinned(const struct image_source *o)
{
	return o->backend->is_pinned;
}

int image_source_blob(struct image_source *o, const struct descriptor *d,
		      struct source **out, struct err *e)
{
	return o->backend->ops->blob(o->backend, d, out, e);
}

int image_source_tag_digest(struct image_source *o, struct digest *out, struct err *e)
{
	int rc;

	if (o->backend->ops->tag_digest)
		return o->backend->ops->tag_digest(o->backend, out, e);
	rc = ensure_root(o, e);
	if (rc == 0)
		*out = o->root_descriptor.digest;
	return rc;
}

int image_source_tags(struct image_source *o, name_fn *fn, void *arg, struct err *e)
{
	if (!o->backend->ops->tags)
		return err_set(e, -ENOTSUP, "%s: not in a registry", o->backend->name);
	return o->backend->ops->tags(o->backend, fn, arg, e);
}

int image_source_probe(struct image_source *o, struct err *e)
{
	if (!o->backend->ops->probe)
		return err_set(e, -ENOTSUP, "%s: not in a registry", o->backend->name);
	return o->backend->ops->probe(o->backend, e);
}

int image_source_catalog(struct client *c, const char *host, name_fn *fn, void *arg,
			 struct err *e)
{
	return paging_catalog(c, host, fn, arg, e);
}
