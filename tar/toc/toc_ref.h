/* SPDX-License-Identifier: MIT */
/*
 * The table of contents of a layer: embedded in the layer (eStargz, zstd:chunked) or
 * external (SOCI, pushed). The hints tell where it is and which digest it must have. From it an
 * index of the layer is made without reading the whole layer.
 */
#ifndef TAR_TOC_TOC_REF_H
#define TAR_TOC_TOC_REF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "tar/index/index.h"
#include "tar/toc/chunked.h"

struct err;
struct blob_reader;
struct source;

/*
 * The values of annotations on the layer's descriptor, by their keys, and an index
 * that was found beside the layer. NULL means absent. All is borrowed for the call.
 */
struct toc_hints {
	const char *estargz_digest; /* containerd.io/snapshot/stargz/toc.digest */
	/*
	 * io.github.containers.zstd-chunked.manifest-checksum and .manifest-position, or
	 * those of io.containers.zstd-chunked
	 */
	const char *chunked_digest;
	const char *chunked_position;
	/*
	 * An index that a registry keeps beside the layer, if it may be used: the digest that
	 * the registry calls it by, and its bytes, which are not verified yet. A pushed one
	 * (pushed.h), else a SOCI zTOC.
	 */
	const struct digest *beside_digest;
	struct source *beside;
	bool is_pushed;
};

struct toc_ref {
	enum index_basis basis;	    /* BASIS_STREAM: there is no table */
	struct digest toc;	    /* the digest that the table must have */
	struct digest json;	    /* BASIS_CHUNKED: digest of its JSON, if known */
	struct chunked_place place; /* BASIS_CHUNKED */
	struct source *beside;	    /* BASIS_SOCI, BASIS_PUSHED */
};

void toc_ref_release(struct toc_ref *t);
/*
 * Reads the hints. On failure (-EBADMSG or -ENOTSUP, with a sentence) *out says that
 * there is no table.
 */
int toc_ref_parse(const struct toc_hints *hints, struct toc_ref *out, struct err *e);

/* May the index with this head be used for a layer with these hints? */
bool toc_ref_vouches(const struct toc_ref *t, const struct index_info *info);

/*
 * Makes the index of the layer @blob in @index_fd, an empty file. The decoded bytes
 * before *prefetch are meant to be fetched early. -EINTR when cancelled. Any other error
 * means that the layer must be streamed, and @e says why.
 */
int toc_ref_make_index(const struct toc_ref *t, const struct blob_reader *r,
		       const struct digest *blob, int index_fd, uint64_t *prefetch,
		       struct err *e);

#endif
