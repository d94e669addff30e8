/* SPDX-License-Identifier: MIT */
/*
 * Requests to one repository: its registry and the mirrors of that, in order. Answers
 * challenges, follows redirects and retries temporary failures (distribution-spec).
 *
 * Any thread may call any function. Times are of clock_ms().
 */
#ifndef REGISTRY_REMOTE_REMOTE_H
#define REGISTRY_REMOTE_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/http/http.h"
#include "registry/remote/request.h"

struct err;
struct client;
struct place; /* http/redirect.h */
struct reference;
struct remote;
struct store;

/*
 * @ref is copied, @c borrowed. An empty @ref->path means the registry itself, for requests
 * outside repositories. Makes no request. -EINVAL: an invalid configuration of hosts.
 */
int remote_new(struct client *c, const struct reference *ref, struct remote **out,
	       struct err *e);
/*
 * The same for writing: it asks no mirror, only the registry itself, for the right to pull and
 * push.
 */
int remote_new_writer(struct client *c, const struct reference *ref, struct remote **out,
		      struct err *e);
/* All transfers must be closed. Accepts NULL. */
void remote_free(struct remote *r);

/*
 * The deadline of one wait that begins now, retries included: the client's timeout. For that
 * long after remote_note_failure() it is only 2 seconds away, and at first less: a reader
 * that tries again does not wait in full again, but notices soon when the network is back.
 */
int64_t remote_deadline(const struct remote *r);
/*
 * Records that a wait that began at @since failed, which counts if it took more than half of
 * the timeout, or a second after another one that counted; that bytes arrive.
 */
void remote_note_failure(struct remote *r, int64_t since);
void remote_note_progress(struct remote *r);
/* The deadline of one try: a third of the timeout, so that a stalled one can be repeated. */
int64_t remote_try_deadline(const struct remote *r, int64_t until);
struct http *remote_http(struct remote *r);
/* May be NULL. */
struct store *remote_store(const struct remote *r);
/* The TLS settings for hosts outside the registry. May be NULL. */
const struct http_tls *remote_foreign_tls(const struct remote *r);

/*
 * Makes the request until it is answered with 200 or 206, or *@until passes. A range that is
 * refused is dropped: a 200 then. @place, which may be NULL, gets the final URL. -ENOENT: not
 * there; -EACCES: refused; -ENOTSUP: the method is not allowed; -EBADE: a range past the end;
 * -ESTALE: the host refuses HEAD, and GET may help; -EIO: all else.
 */
int remote_open(struct remote *r, const struct remote_request *rq, int64_t *until,
		struct place *place, struct transfer **out, struct err *e);
/* The host that answered last gave a wrong body: the next request begins with another one. */
void remote_next_host(struct remote *r);
/*
 * Makes the request at the host that answered last and does not wait for the response, as
 * http_begin(). It is not examined and redirects are not followed. May wait for a token.
 * -EAGAIN: not possible now.
 */
int remote_begin(struct remote *r, const struct remote_request *rq,
		 struct transfer **out);

#endif
