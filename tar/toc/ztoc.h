/* SPDX-License-Identifier: MIT */
/*
 * A zTOC: SOCI's index of an ordinary layer, kept beside it in the registry. It has the
 * tar's entries and points in the gzip stream from which it can be decoded.
 *
 * Nothing in the manifest vouches for it: it is as good as the registry's word. Its spans
 * have digests of their compressed bytes, so that they hang from the zTOC's own digest.
 */
#ifndef TAR_TOC_ZTOC_H
#define TAR_TOC_ZTOC_H

#include <stddef.h>
#include <stdint.h>

#include "tar/codec/compression.h"

struct digest;
struct err;
struct blob_reader;
struct source;
struct tree;

/* 32 KiB and more for each span of 4 MiB: layers of 24 GiB. */
#define ZTOC_SIZE_MAX (192u << 20)

struct ztoc_facts {
	uint64_t decoded_size;
	enum compression compression;
};

/*
 * What the @len bytes of a zTOC say of the layer that @f fetches, into @tree.
 * -EBADMSG; -ENOTSUP for what the tree cannot be made of (sparse files, entries in another
 * order than the tar's, a gzip header that it says nothing of).
 */
int ztoc_parse(const void *data, size_t len, const struct blob_reader *r,
	       struct tree *tree, struct ztoc_facts *out, struct err *e);

/* Reads all of @ztoc, which must have the digest @want, and parses it. */
int ztoc_read(struct source *ztoc, const struct digest *want, const struct blob_reader *r,
	      struct tree *tree, struct ztoc_facts *out, struct err *e);

#endif
