/* SPDX-License-Identifier: MIT */
/*
 * An index that a layer carries with it, or that is kept beside it: where it is and what
 * vouches for it, as the manifest says, and how our own index is made of it.
 */
#ifndef TAR_TOC_LAYER_TOC_H
#define TAR_TOC_LAYER_TOC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "tar/toc/chunked.h"
#include "tar/index/index.h"

struct err;
struct fetch;
struct layer_hints;

struct layer_toc {
	enum index_basis basis;	    /* BASIS_STREAM: there is none */
	struct digest toc;	    /* the digest that vouches for it */
	struct digest json;	    /* BASIS_CHUNKED: of its JSON, if that is said too */
	struct chunked_place place; /* BASIS_CHUNKED */
	struct source *ztoc;	    /* BASIS_SOCI */
};

void layer_toc_release(struct layer_toc *c);
/* -EBADMSG, -ENOTSUP with a sentence for what cannot be read: then there is none. */
int layer_toc_parse(const struct layer_hints *hints, struct layer_toc *out,
		    struct err *e);

/* May who has these hints use the index that this is the head of? */
bool layer_toc_vouches(const struct layer_toc *c, const struct index_info *info);

/*
 * Makes the index of the layer @blob in @index_fd, an empty file. *prefetch: decoded bytes
 * before this are meant to be fetched at once. -EINTR when cancelled; anything else says
 * that the layer must be streamed, and @e why.
 */
int layer_toc_index(const struct layer_toc *c, const struct fetch *f,
		    const struct digest *blob, int index_fd, uint64_t *prefetch,
		    struct err *e);

#endif
