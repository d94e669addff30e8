/* SPDX-License-Identifier: MIT */
/* A small answer of a registry as a whole: documents, pages of an index. */
#ifndef REGISTRY_REMOTE_BODY_H
#define REGISTRY_REMOTE_BODY_H

#include "registry/remote/remote.h"

struct buf;
struct err;

/*
 * The body to @bytes (cleared first; up to its ceiling), asked for anew if it breaks off. What
 * the head says: @media its Content-Type, @link its Link, in new texts, NULL if not
 * said; both pointers may be NULL: not wanted. Errors of remote_open().
 */
int body_get(struct remote *r, const struct remote_request *rq, struct buf *bytes,
	     char **media, char **link, struct err *e);

#endif
