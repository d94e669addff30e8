/* SPDX-License-Identifier: MIT */
/*
 * eStargz: a tar.gz in which each file begins a gzip member. The table of contents
 * (toc.h) is the last file of the tar, and a footer has its offset.
 *
 * The manifest has the digest of the table's JSON, but not its place.
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
 * Parses the last @len bytes of a blob. *off is where the table begins. *footer_len is
 * the length of the footer, which the table ends before.
 */
enum estargz_footer estargz_find_footer(const void *tail, size_t len, uint64_t *off,
					size_t *footer_len);

/*
 * Finds the table, which must have the digest @json, and reads it into @tree. A
 * zstd:chunked blob with its own kind of footer is read by chunked_read(). -ENOENT if the
 * layer has no table; else the errors of chunked_read().
 */
int estargz_read(const struct blob_reader *r, const struct digest *json,
		 struct tree *tree, enum compression *compression, struct toc_facts *out,
		 struct err *e);

#endif
