/* SPDX-License-Identifier: MIT */
/*
 * The table of contents that eStargz and zstd:chunked layers carry: JSON, pushed in as its
 * bytes come, and made into a tree and spans.
 *
 *	{"version": 1, "entries": [ {"name": ..., "type": "reg", "offset": ...}, ... ]}
 *
 * The layer is not looked at. Its decoded bytes, for whoever reads by the index, are the
 * contents of its files, one behind another in the order of the table; a piece of a
 * file (a chunk) is a span, checked against the piece's digest.
 *
 * The table's own digest is its caller's affair. What is malformed, or contradicts
 * itself, is refused: the layer can still be read as what it is besides, a compressed tar.
 */
#ifndef TAR_TOC_TOC_H
#define TAR_TOC_TOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/codec/span.h"

struct err;
struct toc;
struct tree;

/* What other clients take; a table of a million entries has about 400 MiB. */
#define TOC_SIZE_MAX ((uint64_t)1 << 30)

struct toc_options {
	enum span_kind kind; /* SPAN_GZIP or SPAN_ZSTD: what a piece begins with */
	uint64_t end;	     /* all pieces are before this byte of the blob */
	/* eStargz's marks in the root are not files of the image */
	bool has_landmarks;
};

/* @tree is borrowed. */
int toc_new(const struct toc_options *options, struct tree *tree, struct toc **out);
/* NULL is fine. */
void toc_free(struct toc *t);

/*
 * The next bytes. 0, -EBADMSG or -E2BIG, -ENOTSUP for a version or an order that is not
 * read, -ENOMEM; then only toc_free() may follow.
 */
int toc_feed(struct toc *t, const void *json, size_t len, struct err *e);

struct toc_facts {
	uint64_t decoded_size;
	/* Decoded bytes before this are meant to be fetched at once; 0 if not said. */
	uint64_t prefetch;
};

/* No more bytes: the rest of the entries and spans goes to the tree. */
int toc_finish(struct toc *t, struct toc_facts *out, struct err *e);

#endif
