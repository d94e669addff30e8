/* SPDX-License-Identifier: MIT */
/*
 * eStargz: a tar.gz whose files begin members of their own, with the table of contents
 * (toc.h) as the tar's last file, and a footer that says where.
 *
 * The manifest says the digest of the table's JSON, and not where it is.
 */
#ifndef TAR_TOC_ESTARGZ_H
#define TAR_TOC_ESTARGZ_H

#include <stddef.h>
#include <stdint.h>

#include "tar/codec/compression.h"

struct digest;
struct err;
struct blob_reader;
struct toc_facts;
struct tree;

enum estargz_footer {
	ESTARGZ_NO_FOOTER,
	ESTARGZ_FOOTER,
	ESTARGZ_EXTERNAL, /* the table is in another image */
};

/*
 * What the last @len bytes of a blob say: where the table begins, and where it ends, counted
 * from the end of the blob.
 */
enum estargz_footer estargz_find_footer(const void *tail, size_t len, uint64_t *off,
					size_t *footer_len);

/*
 * Finds the table, which must have the digest @json, and reads it into @tree. A blob that
 * is zstd:chunked and has its own kind of footer is read by that.
 * -ENOENT: there is no table in the layer; else as chunked_read().
 */
int estargz_read(const struct blob_reader *r, const struct digest *json,
		 struct tree *tree, enum compression *compression, struct toc_facts *out,
		 struct err *e);

#endif
