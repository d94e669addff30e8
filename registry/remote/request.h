/* SPDX-License-Identifier: MIT */
/* What is asked of a repository, at whichever of its hosts: plain data, borrowed. */
#ifndef REGISTRY_REMOTE_REQUEST_H
#define REGISTRY_REMOTE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

struct descriptor;
struct http_upload; /* http/http.h */

struct remote_request {
	const char *what; /* path below the repository: "manifests/latest" */
	const char *accept;
	bool head, bulk;
	bool spare; /* for remote_begin() */
	/* the response decides what a tag means, which only some mirrors may */
	bool by_tag;
	/* refusal of accepted credentials by a host that hides what is missing: -ENOENT */
	bool may_hide;
	bool may_lack;	  /* 400 and 406 mean that the path is unknown: -ENOTSUP */
	bool is_document; /* for body_get(): the body is JSON */
	const struct descriptor
		*wanted; /* for body_get(): its digest and size; may be NULL */
	bool is_extra;	 /* for body_get(): not essential, give up after a few seconds */
	bool has_range;
	uint64_t first, last; /* see http.h */
	/* The request changes something, and is answered with 201, 202 or 204, too. */
	const struct http_upload *upload;
	/* instead of @what: where the registry wants it; another host gets no credentials */
	const char *url;
	bool once; /* what fails for the moment is not repeated: the caller does that */
};

#endif
