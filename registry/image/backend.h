/* SPDX-License-Identifier: MIT */
/*
 * What an image lies in, whatever it is: a registry, a layout directory, an archive.
 * Each gives the document that the reference names, any other by its descriptor, and
 * blobs as sources; resolve.c makes an image of that.
 */
#ifndef REGISTRY_IMAGE_BACKEND_H
#define REGISTRY_IMAGE_BACKEND_H

#include "base/buf.h"
#include "registry/image/descriptor.h"
#include "registry/image/reference.h"

struct backend;
struct err;
struct source;
struct store;

struct backend_ops {
	/*
	 * The document that the reference names: its bytes to @bytes (an empty buf with
	 * its ceiling), and to @d its digest, size and media type (which may be "").
	 * The digest is that of the bytes, and the one asked for if there was one.
	 */
	int (*root)(struct backend *b, struct buf *bytes, struct descriptor *d,
		    struct err *e);
	/* The bytes of a document by descriptor, unverified; NULL d->media_type: a blob. */
	int (*document)(struct backend *b, const struct descriptor *d, struct buf *bytes,
			struct err *e);
	/* See image_source_blob(). */
	int (*blob)(struct backend *b, const struct descriptor *d, struct source **out,
		    struct err *e);
	/* See image_source_tag_digest(). NULL: the root never changes. */
	int (*tag_digest)(struct backend *b, struct digest *out, struct err *e);
	/* See image_source_tags() and image_source_probe(). NULL: there are no others. */
	int (*tags)(struct backend *b, name_fn *fn, void *arg, struct err *e);
	int (*probe)(struct backend *b, struct err *e);
	/*
	 * See image_source_referrers(), but without those that the index itself has.
	 * @is_extra: the image does well without, so little is done for it, and cosign's
	 * tags are not asked for.
	 * NULL: there are none.
	 */
	int (*referrers)(struct backend *b, const struct digest *of, const char *type,
			 bool is_extra, descriptor_fn *fn, void *arg, struct err *e);
	/* Frees @b. */
	void (*close)(struct backend *b);
};

/* The head of every backend. */
struct backend {
	const struct backend_ops *ops;
	/* the reference in full, for people and as image->name; owned */
	char *name;
	struct store *store; /* borrowed; may be NULL */
	/* its documents are on disk already: not worth keeping twice */
	bool is_local;
	bool is_pinned; /* by a digest */
};

#endif
