/* SPDX-License-Identifier: MIT */
/*
 * A blob in a registry as a source. A small range is one request; a large range or a stream
 * may be several requests at once. From a host without ranges the blob is fetched once, in
 * full. The bytes are unverified; the size is the descriptor's.
 */
#ifndef REGISTRY_REMOTE_BLOB_H
#define REGISTRY_REMOTE_BLOB_H

#include "registry/image/descriptor.h"

struct err;
struct remote;
struct source;

/* Makes no request. @remote outlives the source; @d is copied. */
int blob_new(struct remote *remote, const struct descriptor *d, struct source **out,
	     struct err *e);

#endif
