/* SPDX-License-Identifier: MIT */
/*
 * Following redirects. curl does not do it, so that credentials for one host (scheme,
 * name and port) are never sent to another, and the caller learns the final URL.
 */
#ifndef REGISTRY_HTTP_REDIRECT_H
#define REGISTRY_HTTP_REDIRECT_H

#include <stdbool.h>

#include "base/buf.h"
#include "registry/http/http.h"

/* Where an answer came from. */
struct place {
	struct buf url;
	struct buf referer; /* what was sent as such; "": nothing */
	bool foreign;	    /* at another host than the first URL */
};

void place_init(struct place *p);
void place_release(struct place *p);

/*
 * http_open(), starting at @rq->url; @place receives the URL that answered. Once a redirect
 * leaves the first host, requests have no Authorization, Accept, form or client certificate,
 * and @elsewhere is their TLS (NULL: the system's). Their Referer, which some storage wants,
 * is @rq->url without user, query and fragment; it is not sent from https to http.
 * -ELOOP after too many redirects.
 */
int http_follow(struct http *h, const struct http_request *rq,
		const struct http_tls *elsewhere, int64_t *until, struct place *place,
		struct transfer **out, struct err *e);

#endif
