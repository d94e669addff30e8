/* SPDX-License-Identifier: MIT */
/*
 * Following redirects. curl does not do it, so that credentials for one host (scheme,
 * name and port) are never sent to another, and the caller learns the final URL.
 */
#ifndef REGISTRY_HTTP_REDIRECT_H
#define REGISTRY_HTTP_REDIRECT_H

#include <stdbool.h>

#include "registry/http/http.h"

struct buf;

/*
 * http_open(), starting at @rq->url; @url receives the URL that answered. *foreign is
 * set once a redirect leaves the first host; from then on, requests have no
 * Authorization, Accept, form or client certificate, and @elsewhere is their TLS (NULL:
 * the system's). -ELOOP after too many redirects.
 */
int http_follow(struct http *h, const struct http_request *rq,
		const struct http_tls *elsewhere, int64_t *until, struct buf *url,
		bool *foreign, struct transfer **out, struct err *e);

#endif
