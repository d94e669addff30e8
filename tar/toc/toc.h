/* SPDX-License-Identifier: MIT */
/*
 * The JSON table of contents of eStargz and zstd:chunked layers. It is pushed in as its
 * bytes arrive, and becomes a tree and spans.
 *
 *	{"version": 1, "entries": [ {"name": ..., "type": "reg", "offset": ...}, ... ]}
 *
 * The layer itself is not read. Its decoded bytes, as the index has them, are the
 * contents of its files, one behind another in the order of the table. A piece of a file
 * (a chunk) is a span, and is verified against the digest of the piece.
 *
 * The caller verifies the digest of the table. A malformed or inconsistent table is
 * refused: the layer can still be read as an ordinary compressed tar.
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

/* The limit of other clients. A table of a million entries has about 400 MiB. */
#define TOC_SIZE_MAX ((uint64_t)1 << 30)

struct toc_options {
	enum span_kind kind; /* SPAN_GZIP or SPAN_ZSTD: the framing of a piece */
	uint64_t end;	     /* all pieces are before this offset of the blob */
	/* landmark files of eStargz in the root are not part of the image */
	bool has_landmarks;
};

/* @tree is borrowed. */
int toc_new(const struct toc_options *options, struct tree *tree, struct toc **out);
void toc_free(struct toc *t);

/*
 * Parses the next bytes. 0, -EBADMSG, -E2BIG, -ENOMEM, or -ENOTSUP for a version or an
 * order of pieces that is not supported. After an error only toc_free() may follow.
 */
int toc_feed(struct toc *t, const void *json, size_t len, struct err *e);

struct toc_facts {
	uint64_t decoded_size;
	/*
	 * The decoded bytes before this are meant to be fetched early; 0 if there are
	 * none.
	 */
	uint64_t prefetch;
};

/* Ends the input, and adds the remaining entries and spans to the tree. */
int toc_finish(struct toc *t, struct toc_facts *out, struct err *e);

#endif
