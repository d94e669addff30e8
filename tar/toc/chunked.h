/* SPDX-License-Identifier: MIT */
/*
 * zstd:chunked, in both dialects: a tar.zst in which each file has its own frames. The
 * table of contents (toc.h) is compressed in a skippable frame behind the tar.
 *
 * The manifest has the place of the table and the digest of its compressed bytes. One
 * dialect also has the digest of the JSON. A footer has the place, too.
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

/* The place of a table. */
struct chunked_place {
	uint64_t off; /* behind the head of the skippable frame */
	uint64_t len;
	uint64_t json_len; /* decompressed */
};

/*
 * Parses the annotation ".manifest-position": "offset:length:decompressed length:1".
 * -EBADMSG, or -ENOTSUP for another type than 1.
 */
int chunked_parse_position(const char *text, struct chunked_place *out, struct err *e);

/*
 * Gets the same from the last @len bytes of a blob. Returns false if there is no footer.
 */
bool chunked_find_footer(const void *tail, size_t len, struct chunked_place *out);

/*
 * Reads the table into @tree. @table is the digest of its compressed bytes, @json that of
 * the decompressed ones. Either may be NULL, but not both. -EBADMSG if a digest does not
 * match, and the errors of toc_feed().
 */
int chunked_read(const struct blob_reader *r, const struct chunked_place *place,
		 const struct digest *table, const struct digest *json, struct tree *tree,
		 struct toc_facts *out, struct err *e);

#endif
