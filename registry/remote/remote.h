/* SPDX-License-Identifier: MIT */
/*
 * One repository as it is reached: its registry and that one's mirrors, asked in
 * order, with challenges answered, redirects followed, and what fails for a moment
 * tried again (distribution-spec; FORMATS of redirects and retries in blob.c).
 */
#ifndef REGISTRY_REMOTE_REMOTE_H
#define REGISTRY_REMOTE_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/http/http.h"

struct buf;
struct err;
struct client;
struct reference;
struct remote;
struct store;

/*
 * @ref is copied, @c borrowed. With an empty @ref->path it is the registry itself, for
 * what is asked of no repository.
 */
int remote_new(struct client *c, const struct reference *ref, struct remote **out,
	       struct err *e);
/* Transfers must be closed. NULL is fine. */
void remote_free(struct remote *r);

/*
 * A deadline from now, for one wait with all its tries. After one that was in vain, for as
 * long as that lasted, it is near: who tries again does not wait again, and finds out soon
 * when the network is back.
 */
int64_t remote_deadline(const struct remote *r);
/* A wait that began at @since was in vain; or, what was asked for comes. */
void remote_gave_up(struct remote *r, int64_t since);
void remote_came(struct remote *r);
/* And for one try, which gets a third of the time, so that what stalls can be asked anew. */
int64_t remote_try(const struct remote *r, int64_t until);
/* Has any of its hosts ever answered anything? */
bool remote_is_reached(const struct remote *r);
struct http *remote_http(struct remote *r);
/* May be NULL. */
struct store *remote_store(const struct remote *r);
/* What other hosts' certificates are checked against. May be NULL. */
const struct http_tls *remote_elsewhere(const struct remote *r);

struct remote_request {
	const char *what; /* below the repository: "manifests/latest" */
	const char *accept;
	bool head, bulk;
	bool spare; /* for remote_begin() */
	/* the answer decides what a tag is: not every mirror is asked that */
	bool by_tag;
	/* whoever refuses what is not there, though it took who we are, says -ENOENT */
	bool may_hide;
	bool is_extra; /* for body_get(): done without if it takes more than seconds */
	bool has_range;
	uint64_t first, last; /* as http.h */
};

/*
 * Asks until an answer of 200 or 206 is there, or *@until is near. @url, if not NULL,
 * gets where the way ended if that is another host, else nothing. Errors:
 * -ENOENT not there, -EACCES refused, -ENOTSUP a method not offered, -EBADMSG a range
 * past the end, -EIO all else.
 */
int remote_open(struct remote *r, const struct remote_request *rq, int64_t *until,
		struct buf *url, struct transfer **out, struct err *e);
/*
 * Asks the place that answered last and waits for no answer, as http_begin(). What comes is
 * not judged; redirects are not followed. May wait for a token. -EAGAIN: not now.
 */
int remote_begin(struct remote *r, const struct remote_request *rq,
		 struct transfer **out);

#endif
