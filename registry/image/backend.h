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

#include "base/buf.h"
#include "registry/image/descriptor.h"
#include "registry/image/reference.h"

struct backend;
struct err;
struct source;
struct store;

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
	 * lists. With @is_extra the result is not essential: the search takes a few seconds
	 * at most and leaves out cosign's tags. NULL: there are none.
	 */
	int (*referrers)(struct backend *b, const struct digest *of, const char *type,
			 bool is_extra, descriptor_fn *fn, void *arg, struct err *e);
	/* Frees @b. */
	void (*close)(struct backend *b);
};

/* The head of every backend. */
struct backend {
	const struct backend_ops *ops;
	/* the source in full, for messages and as image->name; owned */
	char *name;
	struct store *store; /* borrowed; may be NULL */
	bool is_local;	     /* on disk, so the store need not keep its documents */
	bool is_pinned;	     /* the reference has a digest */
};

#endif
