/* SPDX-License-Identifier: MIT */
/* Small response bodies, read as a whole: documents, pages of a list. */
#ifndef REGISTRY_REMOTE_BODY_H
#define REGISTRY_REMOTE_BODY_H

#include "registry/remote/remote.h"

struct buf;
struct err;

struct body {
	struct buf *bytes; /* borrowed */
	/* the fields Content-Type, Link and ETag, owned; NULL: absent */
	char *media, *link, *etag;
};

void body_release(struct body *b);

/*
 * Requests @rq and reads the body to @out->bytes, which is cleared first. A broken transfer is
 * repeated, and so is an answer that is not what was requested: one without the size or
 * digest of @rq->wanted, or one that is no JSON for @rq->is_document. The second well-formed
 * answer with a wrong digest is given to the caller. Errors: as remote_open(); -E2BIG: over the
 * ceiling of @out->bytes.
 */
int body_get(struct remote *r, const struct remote_request *rq, struct body *out,
	     struct err *e);

#endif
