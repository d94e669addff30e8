/* SPDX-License-Identifier: MIT */
/*
 * A zTOC, SOCI's external index of an ordinary layer, which the registry stores beside
 * the layer. It has the entries of the tar, and checkpoints of the gzip stream from which
 * it can be decoded.
 *
 * The manifest does not vouch for it, so it is only as trustworthy as the registry. Its
 * spans have digests of their compressed bytes, so they are covered by the digest of the
 * zTOC.
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

/* More than 32 KiB for each span of 4 MiB: enough for layers of 24 GiB. */
#define ZTOC_SIZE_MAX (192u << 20)

struct ztoc_facts {
	uint64_t decoded_size;
	enum compression compression;
};

/*
 * Parses the @len bytes of a zTOC of the layer that @r reads, into @tree. -EBADMSG, or
 * -ENOTSUP for what the tree cannot express (sparse files, entries in another order than
 * the tar's, a gzip header that the zTOC does not describe).
 */
int ztoc_parse(const void *data, size_t len, const struct blob_reader *r,
	       struct tree *tree, struct ztoc_facts *out, struct err *e);

/* Reads all of @ztoc, which must have the digest @want, and parses it. */
int ztoc_read(struct source *ztoc, const struct digest *want, const struct blob_reader *r,
	      struct tree *tree, struct ztoc_facts *out, struct err *e);

#endif
