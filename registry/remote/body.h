/* SPDX-License-Identifier: MIT */
/* Small response bodies, read as a whole: documents, pages of a list. */
#ifndef REGISTRY_REMOTE_BODY_H
#define REGISTRY_REMOTE_BODY_H

#include "registry/remote/remote.h"

struct buf;
struct err;

/*
 * Requests @rq and reads the body to @bytes, which is cleared first; a broken transfer is
 * repeated. *@media gets the Content-Type and *@link the Link field in new texts, or NULL if
 * absent; both pointers may be NULL. Errors: as remote_open(); -E2BIG: over the ceiling of
 * @bytes.
 */
int body_get(struct remote *r, const struct remote_request *rq, struct buf *bytes,
	     char **media, char **link, struct err *e);

#endif
