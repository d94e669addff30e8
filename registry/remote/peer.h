/* SPDX-License-Identifier: MIT */
/*
 * One host of a repository, the registry or a mirror, and requests to it: it answers
 * challenges, follows redirects, and repeats what failed for the moment.
 *
 * Any thread may call any function. Times are of clock_ms().
 */
#ifndef REGISTRY_REMOTE_PEER_H
#define REGISTRY_REMOTE_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "registry/remote/request.h"

struct endpoint;
struct err;
struct http;
struct http_tls;
struct lease;
struct place; /* http/redirect.h */
struct transfer;

/* All borrowed from remote.c. */
struct peer {
	const struct endpoint *at;
	struct lease *lease; /* of its authorization */
	struct http *http;
	const struct http_tls *foreign_tls; /* for where it redirects; may be NULL */
	unsigned timeout;		    /* seconds of a wait, retries included */
	bool is_writer;			    /* serves nothing if it is a mirror */
	bool has_answered;		    /* atomic */
};

/* Whether it has ever answered anything, so that it exists. */
bool peer_has_answered(const struct peer *p);
/* Whether the configuration lets it serve such a request. */
bool peer_serves(const struct peer *p, const struct remote_request *rq);
/* The deadline of one try: a third of @timeout seconds from now, but not after @until. */
int64_t peer_try_deadline(unsigned timeout, int64_t until);

/*
 * As remote_open(), at this host. A host that has never answered gets one try. *@until is moved
 * by the time that the request spent in the queue.
 */
int peer_request(struct peer *p, const struct remote_request *rq, int64_t *until,
		 struct place *place, struct transfer **out, struct err *e);
/* As remote_begin(), at this host. A token may take until @until. */
int peer_begin(struct peer *p, const struct remote_request *rq, int64_t until,
	       struct transfer **out);

#endif
