/* SPDX-License-Identifier: MIT */
/*
 * An index that a layer carries with it, or that is kept beside it: where it is and what
 * vouches for it, as the manifest says, and how our own index is made of it.
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
struct toc_hints;

struct toc_ref {
	enum index_basis basis;	    /* BASIS_STREAM: there is none */
	struct digest toc;	    /* the digest that vouches for it */
	struct digest json;	    /* BASIS_CHUNKED: of its JSON, if that is said too */
	struct chunked_place place; /* BASIS_CHUNKED */
	struct source *ztoc;	    /* BASIS_SOCI */
};

void toc_ref_release(struct toc_ref *t);
/* -EBADMSG, -ENOTSUP with a sentence for what cannot be read: then there is none. */
int toc_ref_parse(const struct toc_hints *hints, struct toc_ref *out, struct err *e);

/* May who has these hints use the index that this is the head of? */
bool toc_ref_vouches(const struct toc_ref *t, const struct index_info *info);

/*
 * Makes the index of the layer @blob in @index_fd, an empty file. *prefetch: decoded bytes
 * before this are meant to be fetched at once. -EINTR when cancelled; anything else says
 * that the layer must be streamed, and @e why.
 */
int toc_ref_make_index(const struct toc_ref *t, const struct blob_reader *r,
		       const struct digest *blob, int index_fd, uint64_t *prefetch,
		       struct err *e);

#endif
