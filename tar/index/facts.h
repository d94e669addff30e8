/* SPDX-License-Identifier: MIT */
/* What the head of an index says about its layer, as its maker knows it. */
#ifndef TAR_INDEX_FACTS_H
#define TAR_INDEX_FACTS_H

#include <stdint.h>

#include "base/digest.h"
#include "tar/codec/compression.h"

/*
 * What an index was made from. A table of contents is trusted by its own digest: a reader
 * that has only the digest of the blob must not use an index made from a table.
 */
enum index_basis {
	BASIS_STREAM,  /* the whole layer, whose digest was verified */
	BASIS_ESTARGZ, /* the table of contents embedded in an eStargz layer */
	BASIS_CHUNKED, /* the table of contents embedded in a zstd:chunked layer */
	BASIS_SOCI,    /* an external SOCI index of the layer */
};

struct index_facts {
	struct digest blob;
	uint64_t blob_size; /* compressed bytes */
	uint64_t decoded_size;
	enum compression compression;
	enum index_basis basis;
	struct digest toc; /* of the table; DIGEST_NONE if BASIS_STREAM */
};

#endif
