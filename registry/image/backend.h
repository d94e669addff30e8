/* SPDX-License-Identifier: MIT */
/*
 * A backend: the place that holds an image, whether a registry, a layout directory or an
 * archive. It gives the document that the reference names (the root), other documents by
 * descriptor, and blobs as sources. resolve.c makes an image of these, image_source.c is
 * the interface for the rest of peelfs.
 *
 * Any thread may call the operations. root() is never called by two threads at once, nor
 * after it succeeded; document(), blob() and referrers() are only called after that.
 */
#ifndef REGISTRY_IMAGE_BACKEND_H
#define REGISTRY_IMAGE_BACKEND_H

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "registry/image/descriptor.h"
#include "registry/image/reference.h"

struct backend;
struct err;
struct remote;
struct source;
struct store;

enum referrers_part {
	REFERRERS_ALL,
	REFERRERS_SIGNATURES, /* what is under cosign's tag for signatures */
	REFERRERS_LISTED,     /* what the registry lists: all without cosign's tags */
};

/* A search for the referrers of a manifest. */
struct referrers_query {
	const struct digest *of;
	const char *type; /* the artifact type; NULL: any */
	/* not essential: take a few seconds at most, and leave out cosign's tags */
	bool is_extra;
	enum referrers_part part;
	descriptor_fn *fn;
	void *arg;
};

/* Reports @d if it has the wanted type. 0, or what the callback returned. */
static inline int referrers_query_report(const struct referrers_query *q,
					 const struct descriptor *d)
{
	bool is_wanted = !q->type ||
			 (d->artifact_type && strcmp(d->artifact_type, q->type) == 0);

	return is_wanted ? q->fn(q->arg, d) : 0;
}

struct backend_ops {
	/*
	 * Reads the document that the reference names. Its bytes go to @bytes, an empty buf
	 * with its ceiling; @d gets digest, size and media type, which may be "". The digest
	 * matches the bytes, and the reference if that has a digest.
	 */
	int (*root)(struct backend *b, struct buf *bytes, struct descriptor *d,
		    struct err *e);
	/*
	 * Appends the bytes of a document, unverified, to @bytes. Without a media type of a
	 * manifest or index in @d it is read as a blob.
	 */
	int (*document)(struct backend *b, const struct descriptor *d, struct buf *bytes,
			struct err *e);
	/* See image_source_blob(). */
	int (*blob)(struct backend *b, const struct descriptor *d, struct source **out,
		    struct err *e);
	/* Optional, see image_source_tag_digest(). NULL: the root never changes. */
	int (*tag_digest)(struct backend *b, struct digest *out, struct err *e);
	/* Optional, see image_source_tags() and image_source_probe(). NULL: not supported. */
	int (*tags)(struct backend *b, name_fn *fn, void *arg, struct err *e);
	int (*probe)(struct backend *b, struct err *e);
	/*
	 * Optional, see image_source_referrers(), but without those that the index itself
	 * lists. NULL: there are none.
	 */
	int (*referrers)(struct backend *b, const struct referrers_query *q,
			 struct err *e);
	/*
	 * Optional. Requests that write to the place, in *@out, owned by the caller. NULL:
	 * nothing can be pushed. After root().
	 */
	int (*writer)(struct backend *b, struct remote **out, struct err *e);
	/*
	 * Optional: appends the bytes of the @n-th signature of @of that is kept in a file, from
	 * 1 on. -ENOENT: there are no more.
	 */
	int (*signature)(struct backend *b, const struct digest *of, unsigned n,
			 struct buf *bytes, struct err *e);
	/* Frees @b. */
	void (*close)(struct backend *b);
};

/* The head of every backend. */
struct backend {
	const struct backend_ops *ops;
	/* the source in full, for messages and as image->name; owned */
	char *name;
	char *tags;	       /* image->tags, set by root(); owned */
	struct store *store;   /* borrowed; may be NULL */
	const char *transport; /* as policies call it: "docker", "oci", ... */
	char *path; /* on disk: absolute, without links, or NULL if there is none; owned */
	bool is_local;	/* on disk, so the store need not keep its documents */
	bool is_pinned; /* the reference has a digest */
};

#endif
