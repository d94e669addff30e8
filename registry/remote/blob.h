/* SPDX-License-Identifier: MIT */
/*
 * A blob in a registry as a source: a range is read by one request, or by several at once
 * if it is large; so is a stream. From hosts that give no ranges all of it is fetched once.
 * The bytes are unverified; their number is the descriptor's.
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
