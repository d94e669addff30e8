/* SPDX-License-Identifier: MIT */
/*
 * zstd:chunked, in both dialects: a tar.zst whose files are in frames of their own, and
 * whose table of contents (toc.h) is compressed in a skippable frame behind the tar.
 *
 * The manifest says where the table is and which digest its compressed bytes have; one
 * dialect says the digest of its JSON besides. A footer says the place too.
 */
#ifndef TAR_TOC_CHUNKED_H
#define TAR_TOC_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct err;
struct blob_reader;
struct toc_facts;
struct tree;

/* Where a table is. */
struct chunked_place {
	uint64_t off; /* behind the head of the skippable frame */
	uint64_t len;
	uint64_t json_len; /* decompressed */
};

/*
 * The annotation ".manifest-position": "offset:length:decompressed length:1".
 * -EBADMSG; -ENOTSUP for another type than 1.
 */
int chunked_parse_position(const char *text, struct chunked_place *out, struct err *e);

/* The same from the last @len bytes of a blob: false if no footer is there. */
bool chunked_find_footer(const void *tail, size_t len, struct chunked_place *out);

/*
 * Reads the table into @tree. @table is the digest of its compressed bytes, @json of what
 * they become; either may be NULL, but not both. -EBADMSG when a digest does not match, and
 * what toc_feed() says.
 */
int chunked_read(const struct blob_reader *r, const struct chunked_place *place,
		 const struct digest *table, const struct digest *json, struct tree *tree,
		 struct toc_facts *out, struct err *e);

#endif
