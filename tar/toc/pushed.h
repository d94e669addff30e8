/* SPDX-License-Identifier: MIT */
/*
 * Reads an index that was pushed to a registry (pushed_format.h) into a tree. Nothing vouches
 * for it but the registry, so it is untrusted: all of it is checked, and an index made from it
 * is consistent, whatever it says. It gives no digests of files.
 */
#ifndef TAR_TOC_PUSHED_H
#define TAR_TOC_PUSHED_H

#include <stddef.h>
#include <stdint.h>

#include "tar/codec/compression.h"

struct blob_reader;
struct digest;
struct err;
struct source;
struct tree;

struct pushed_facts {
	uint64_t decoded_size;
	enum compression compression;
};

/*
 * Parses the @len bytes inside the frame. -EBADMSG, with a sentence, also if it is of another
 * layer than @blob of @blob_size bytes; -E2BIG; -ENOMEM.
 */
int pushed_parse(const void *data, size_t len, const struct digest *blob,
		 uint64_t blob_size, struct tree *tree, struct pushed_facts *out,
		 struct err *e);

/*
 * Reads all of @pushed, which must have the digest @want, unpacks and parses it. @r reads the
 * layer, @blob is its digest.
 */
int pushed_read(struct source *pushed, const struct digest *want,
		const struct blob_reader *r, const struct digest *blob, struct tree *tree,
		struct pushed_facts *out, struct err *e);

#endif
