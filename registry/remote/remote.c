/* SPDX-License-Identifier: MIT */
#include "registry/remote/remote.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "registry/auth/auths.h"
#include "registry/config/hosts.h"
#include "registry/http/redirect.h"
#include "registry/http/retry.h"
#include "registry/remote/client.h"
#include "registry/remote/peer.h"

/* Enough for a connection, TLS and a response over any working network. */
#define SHORT_WAIT_MS 2000

/* The kernel repeats a read that failed at once: so soon, a wait is no longer than this. */
#define REPEAT_MS 400

/* Short waits are enough for so many timeouts; then one is long again. */
#define FULL_AGAIN 10

/* Rounds over all peers while none has ever answered: they may not exist. */
#define FIRST_TRIES 3

struct remote {
	struct client *client;
	struct http *http;
	const struct http_tls *foreign_tls;
	bool offline;
	bool is_writer;
	unsigned timeout;
	struct endpoints endpoints;
	struct peer *peers;    /* one per endpoint */
	size_t current;	       /* atomic: the peer that answered last */
	int64_t failing_until; /* atomic: until then waits are short; 0: they are not */
	int64_t failed_at;     /* atomic: when the last wait failed */
	int64_t full_at;       /* atomic: when the last one in full did */
};

void remote_free(struct remote *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; r->peers && i < r->endpoints.n; i++)
		auths_put(client_auths(r->client), r->peers[i].lease);
	free(r->peers);
	endpoints_release(&r->endpoints);
	free(r);
}

static int make_peers(struct remote *r, struct err *e)
{
	size_t i;
	int rc = 0;

	r->peers = calloc(r->endpoints.n, sizeof(*r->peers));
	if (!r->peers)
		return err_set(e, -ENOMEM, "out of memory");
	for (i = 0; i < r->endpoints.n && rc == 0; i++) {
		const struct endpoint *ep = &r->endpoints.list[i];

		r->peers[i] = (struct peer){.at = ep,
					    .http = r->http,
					    .foreign_tls = r->foreign_tls,
					    .timeout = r->timeout,
					    .is_writer = r->is_writer};
		rc = auths_get(client_auths(r->client), ep->base, ep->path, ep->name,
			       r->is_writer, &r->peers[i].lease, e);
	}
	return rc;
}

static int make_remote(struct client *c, const struct reference *ref, bool is_writer,
		       struct remote **out, struct err *e)
{
	struct remote *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_set(e, -ENOMEM, "out of memory");
	r->client = c;
	r->http = client_http(c);
	r->offline = client_is_offline(c);
	r->timeout = client_timeout(c);
	r->is_writer = is_writer;
	r->foreign_tls = hosts_elsewhere(client_hosts(c));
	rc = hosts_find(client_hosts(c), ref, &r->endpoints, e);
	if (rc == 0)
		rc = make_peers(r, e);
	if (rc < 0)
		remote_free(r);
	else
		*out = r;
	return rc;
}

int remote_new(struct client *c, const struct reference *ref, struct remote **out,
	       struct err *e)
{
	return make_remote(c, ref, false, out, e);
}

int remote_new_writer(struct client *c, const struct reference *ref, struct remote **out,
		      struct err *e)
{
	return make_remote(c, ref, true, out, e);
}

int64_t remote_deadline(const struct remote *r)
{
	int64_t now = clock_ms(), wait = (int64_t)r->timeout * 1000;

	if (now >= __atomic_load_n(&r->failing_until, __ATOMIC_RELAXED))
		return now + wait;
	if (now < __atomic_load_n(&r->failed_at, __ATOMIC_RELAXED) + REPEAT_MS)
		return now + REPEAT_MS;
	return now + (wait < SHORT_WAIT_MS ? wait : SHORT_WAIT_MS);
}

void remote_note_failure(struct remote *r, int64_t since)
{
	int64_t now = clock_ms(), wait = (int64_t)r->timeout * 1000;
	bool is_first = since >= __atomic_load_n(&r->failing_until, __ATOMIC_RELAXED);

	/* The tries may end after a third of the time: the next pause would not fit into it. */
	if (now - since > (is_first ? wait / 4 : wait / 2))
		__atomic_store_n(&r->full_at, now, __ATOMIC_RELAXED);
	/* An immediate refusal does not count, nor a short wait for long: the host may be slow. */
	else if (now - since < SHORT_WAIT_MS / 2 || is_first ||
		 now - __atomic_load_n(&r->full_at, __ATOMIC_RELAXED) > FULL_AGAIN * wait)
		return;
	__atomic_store_n(&r->failed_at, now, __ATOMIC_RELAXED);
	__atomic_store_n(&r->failing_until, now + wait, __ATOMIC_RELAXED);
}

void remote_note_progress(struct remote *r)
{
	if (__atomic_load_n(&r->failing_until, __ATOMIC_RELAXED))
		__atomic_store_n(&r->failing_until, 0, __ATOMIC_RELAXED);
}

int64_t remote_try_deadline(const struct remote *r, int64_t until)
{
	return peer_try_deadline(r->timeout, until);
}

/* Has any of the hosts ever answered anything? */
static bool any_has_answered(const struct remote *r)
{
	size_t i;

	for (i = 0; i < r->endpoints.n; i++) {
		if (peer_has_answered(&r->peers[i]))
			return true;
	}
	return false;
}

struct http *remote_http(struct remote *r)
{
	return r->http;
}

struct store *remote_store(const struct remote *r)
{
	return client_store(r->client);
}

const struct http_tls *remote_foreign_tls(const struct remote *r)
{
	return r->foreign_tls;
}

/* The deadline of a peer. One that never answered leaves half of the time for the others. */
static int64_t share_of_wait(const struct peer *p, int64_t until, size_t left)
{
	int64_t now = clock_ms();

	if (left < 2 || peer_has_answered(p))
		return until;
	return now + (until - now) / 2;
}

/* A host of unknown scheme is two peers, https and http; only one of them can exist. */
static bool other_has_answered(const struct remote *r, size_t at)
{
	if (r->peers[at].at->is_guess)
		return peer_has_answered(&r->peers[at - 1]);
	return at + 1 < r->endpoints.n && r->peers[at + 1].at->is_guess &&
	       peer_has_answered(&r->peers[at + 1]);
}

/*
 * Tries all peers in order, beginning with the one that answered last. A guessed scheme is tried
 * only if the other scheme never answered. The error reported is that of the registry
 * itself, which is last; that of a guess that failed too says less than the one before.
 */
static int request_round(struct remote *r, const struct remote_request *rq,
			 int64_t *until, struct place *place, struct transfer **out,
			 struct err *e)
{
	size_t start = __atomic_load_n(&r->current, __ATOMIC_RELAXED), n = r->endpoints.n,
	       i;
	struct err one = {""};
	int rc = -EIO, now = -EIO;
	int64_t share, before;

	err_set(e, rc, "no configured host serves this request");
	for (i = 0; i < n && now != -ENOMEM; i++) {
		size_t at = (start + i) % n;
		const struct endpoint *ep = r->peers[at].at;

		if (!peer_serves(&r->peers[at], rq) ||
		    (i > 0 && other_has_answered(r, at)))
			continue;
		share = before = share_of_wait(&r->peers[at], *until, n - i);
		now = peer_request(&r->peers[at], rq, &share, place, out, &one);
		*until += share - before;
		if (now == 0) {
			__atomic_store_n(&r->current, at, __ATOMIC_RELAXED);
			return 0;
		}
		if (i == 0 || !ep->is_guess || peer_has_answered(&r->peers[at])) {
			rc = now;
			err_set(e, rc, "%s", one.text);
		}
	}
	return rc;
}

void remote_next_host(struct remote *r)
{
	size_t now = __atomic_load_n(&r->current, __ATOMIC_RELAXED), at = now;

	do
		at = (at + 1) % r->endpoints.n;
	while (at != now && other_has_answered(r, at));
	__atomic_store_n(&r->current, at, __ATOMIC_RELAXED);
}

int remote_open(struct remote *r, const struct remote_request *rq, int64_t *until,
		struct place *place, struct transfer **out, struct err *e)
{
	struct place own;
	int64_t began = clock_ms();
	struct retry rounds;
	int rc;

	if (r->offline)
		return err_set(e, -EIO,
			       "not in the store, and -o offline allows no requests");
	place_init(&own);
	retry_init(&rounds, r->http, *until);
	do {
		rc = request_round(r, rq, until, place ? place : &own, out, e);
		rounds.until = *until;
	} while (rc == -EIO && !any_has_answered(r) && rounds.tries + 1 < FIRST_TRIES &&
		 retry_wait(&rounds, 0));
	place_release(&own);
	if (rc == -EIO)
		remote_note_failure(r, began);
	return rc;
}

int remote_begin(struct remote *r, const struct remote_request *rq, struct transfer **out)
{
	struct peer *p = &r->peers[__atomic_load_n(&r->current, __ATOMIC_RELAXED)];

	return r->offline ? -EAGAIN : peer_begin(p, rq, remote_deadline(r), out);
}
