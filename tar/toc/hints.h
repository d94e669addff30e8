/* SPDX-License-Identifier: MIT */
/* What the world outside says about the table of contents of a layer. */
#ifndef TAR_TOC_HINTS_H
#define TAR_TOC_HINTS_H

struct digest;
struct source;

/*
 * The values of annotations on the layer's descriptor, by their keys, and a SOCI index that
 * was found. NULL means absent. All is borrowed for the call.
 */
struct toc_hints {
	const char *estargz_digest; /* containerd.io/snapshot/stargz/toc.digest */
	/*
	 * io.github.containers.zstd-chunked.manifest-checksum and .manifest-position, or those
	 * of io.containers.zstd-chunked
	 */
	const char *chunked_digest;
	const char *chunked_position;
	/*
	 * A SOCI zTOC of the layer, if it may be used: the digest that the registry calls it
	 * by, and its bytes, which are not verified yet.
	 */
	const struct digest *ztoc_digest;
	struct source *ztoc;
};

#endif
