/* SPDX-License-Identifier: MIT */
/*
 * Redirects, followed by ourselves: what is meant for one host (scheme, name and
 * port) is never sent to another, and where the way ended is known afterwards.
 */
#ifndef REGISTRY_HTTP_REDIRECT_H
#define REGISTRY_HTTP_REDIRECT_H

#include <stdbool.h>

#include "registry/http/http.h"

struct buf;

/*
 * As http_open(), from @rq->url on; @url gets the URL that answered. *foreign tells
 * that it is of another host, and then was asked without Authorization, Accept and
 * client certificate. -ELOOP: more redirects than make sense. @elsewhere is the TLS of
 * such hosts, NULL the system's.
 */
int http_follow(struct http *h, const struct http_request *rq,
		const struct http_tls *elsewhere, int64_t *until, struct buf *url,
		bool *foreign, struct transfer **out, struct err *e);

#endif
