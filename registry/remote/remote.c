/* SPDX-License-Identifier: MIT */
#include "registry/remote/remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "registry/auth/auths.h"
#include "registry/remote/client.h"
#include "registry/http/redirect.h"
#include "registry/config/hosts.h"
#include "registry/image/reference.h"
#include "registry/http/refusal.h"
#include "registry/http/retry.h"
#include "registry/auth/token.h"

/* Enough for a connection, TLS and an answer over any network that is one. */
#define PROBE_MS 2000

/* Rounds over all places, as long as none ever answered: there may be nobody. */
#define FIRST_TRIES 3

/* One to learn what is wanted, one for what has expired or was changed since. */
#define CHALLENGES_MAX 2

/*
 * So often in one request a new signed URL is asked for. A new one may be refused, too: it
 * may count, and curl asks twice when a connection that it kept breaks at once.
 */
#define EXPIRED_MAX 2

struct place {
	const struct endpoint *at;
	struct lease *lease;
	bool has_answered; /* atomic */
};

struct remote {
	struct client *client;
	struct http *http;
	const struct http_tls *elsewhere;
	bool offline;
	unsigned timeout;
	struct endpoints endpoints;
	struct place *places; /* one for each endpoint */
	size_t current;	      /* atomic: the one that answered last */
	int64_t vain_until;   /* atomic: so long nobody waits in full; 0: all do */
};

void remote_free(struct remote *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; r->places && i < r->endpoints.n; i++)
		auths_put(client_auths(r->client), r->places[i].lease);
	free(r->places);
	endpoints_release(&r->endpoints);
	free(r);
}

static int make_places(struct remote *r, struct err *e)
{
	size_t i;
	int rc = 0;

	r->places = calloc(r->endpoints.n, sizeof(*r->places));
	if (!r->places)
		return err_set(e, -ENOMEM, "out of memory");
	for (i = 0; i < r->endpoints.n && rc == 0; i++) {
		const struct endpoint *ep = &r->endpoints.list[i];

		r->places[i].at = ep;
		rc = auths_get(client_auths(r->client), ep->base, ep->path, ep->name,
			       &r->places[i].lease, e);
	}
	return rc;
}

int remote_new(struct client *c, const struct reference *ref, struct remote **out,
	       struct err *e)
{
	struct remote *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_set(e, -ENOMEM, "out of memory");
	r->client = c;
	r->http = client_http(c);
	r->offline = client_is_offline(c);
	r->timeout = client_timeout(c);
	r->elsewhere = hosts_elsewhere(client_hosts(c));
	rc = hosts_find(client_hosts(c), ref, &r->endpoints, e);
	if (rc == 0)
		rc = make_places(r, e);
	if (rc < 0)
		remote_free(r);
	else
		*out = r;
	return rc;
}

int64_t remote_deadline(const struct remote *r)
{
	int64_t now = clock_ms(), wait = (int64_t)r->timeout * 1000;

	if (wait > PROBE_MS && now < __atomic_load_n(&r->vain_until, __ATOMIC_RELAXED))
		wait = PROBE_MS;
	return now + wait;
}

void remote_gave_up(struct remote *r, int64_t since)
{
	int64_t now = clock_ms(), wait = (int64_t)r->timeout * 1000;

	/* Not by what was refused at once, nor by a probe: a slow host must have its chance. */
	if (now - since > wait / 2)
		__atomic_store_n(&r->vain_until, now + wait, __ATOMIC_RELAXED);
}

void remote_came(struct remote *r)
{
	if (__atomic_load_n(&r->vain_until, __ATOMIC_RELAXED))
		__atomic_store_n(&r->vain_until, 0, __ATOMIC_RELAXED);
}

int64_t remote_try(const struct remote *r, int64_t until)
{
	int64_t third = clock_ms() + (int64_t)r->timeout * 1000 / 3;

	return third < until ? third : until;
}

static bool has_answered(const struct place *p)
{
	return __atomic_load_n(&p->has_answered, __ATOMIC_RELAXED);
}

bool remote_is_reached(const struct remote *r)
{
	size_t i;

	for (i = 0; i < r->endpoints.n; i++) {
		if (has_answered(&r->places[i]))
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

const struct http_tls *remote_elsewhere(const struct remote *r)
{
	return r->elsewhere;
}

/* One place, asked once more and once again */

struct asking {
	struct remote *remote;
	struct place *place;
	struct retry retry;
	unsigned challenges; /* answered so far */
	unsigned expired;    /* URLs elsewhere */
	struct buf first;    /* the URL at the registry */
	struct buf url;	     /* where the way ended */
	bool foreign;
};

/* Sends it with what auth says; waits in the queue move the deadline. */
static int send_once(struct asking *a, const struct remote_request *rq, char **used,
		     struct transfer **out, struct err *e)
{
	struct http_request http = {
		.url = buf_text(&a->first),
		.accept = rq->accept,
		.head = rq->head,
		.bulk = rq->bulk,
		.has_range = rq->has_range,
		.first = rq->first,
		.last = rq->last,
		.tls = &a->place->at->tls,
	};
	const struct auth_tls tls = {&a->place->at->tls, a->remote->elsewhere};
	int rc = auth_get(a->place->lease->auth, &tls, a->retry.until, used, e);
	int64_t until, before;

	if (rc < 0)
		return rc;
	http.authorization = *used;
	until = before = remote_try(a->remote, a->retry.until);
	rc = http_follow(a->remote->http, &http, a->remote->elsewhere, &until, &a->url,
			 &a->foreign, out, e);
	a->retry.until += until - before;
	return rc;
}

/* Some answer 401 without a challenge; all have one at the root of the API. */
static int ask_root(struct asking *a, char **challenge, struct err *e)
{
	struct http_request rq = {.tls = &a->place->at->tls};
	struct transfer *t = NULL;
	int64_t until = remote_try(a->remote, a->retry.until);
	struct buf url;
	int rc;

	buf_init(&url, HTTP_URL_MAX);
	rc = buf_printf(&url, "%s%s/", a->place->at->base, a->place->at->prefix);
	rq.url = buf_text(&url);
	if (rc == 0)
		rc = http_open(a->remote->http, &rq, &until, &t, e);
	if (rc == 0 && transfer_head(t)->challenge)
		*challenge = strdup(transfer_head(t)->challenge);
	transfer_close(t);
	buf_release(&url);
	return rc;
}

/* After a 401: 0 if another try may do. */
static int answer_challenge(struct asking *a, const struct http_head *head,
			    const char *used, struct err *e)
{
	char *challenge = NULL;
	int rc = auth_refused(a->place->lease->auth, used, head->challenge);

	if (rc == -ENOENT) {
		rc = ask_root(a, &challenge, e);
		if (rc == 0)
			rc = auth_refused(a->place->lease->auth, used, challenge);
	}
	free(challenge);
	if (rc == -ENOENT)
		rc = err_set(e, -EACCES,
			     "%s answers 401 Unauthorized and does not say what it wants",
			     a->place->at->name);
	else if (rc == -ENOMEM)
		err_set(e, rc, "out of memory");
	return rc;
}

/* @why and the errno for people and for the caller's table. */
static int describe(const struct asking *a, int rc, struct err *e)
{
	const struct endpoint *ep = a->place->at;

	switch (rc) {
	case -ECONNREFUSED:
		return err_prefix(e, -EIO, "cannot reach the registry %s", ep->name);
	case -EPROTO:
		return err_prefix(e, -EIO, "no TLS with the registry %s", ep->name);
	case -EKEYREJECTED:
		return err_prefix(
			e, -EIO,
			"the certificate of %s is not trusted (-o cacert= names a file "
			"of those that are, -o insecure trusts any)",
			ep->name);
	case -ETIMEDOUT:
		return err_prefix(e, -EIO, "the registry %s is too slow", ep->name);
	case -ELOOP:
		return err_prefix(e, -EIO, "the registry %s", ep->name);
	default:
		return rc;
	}
}

/* The answer is there and is no success. True: try again. */
static bool judge(struct asking *a, const struct remote_request *rq, struct transfer *t,
		  const char *used, int *rc, struct err *e)
{
	const struct http_head *head = transfer_head(t);
	const char *host = a->foreign ? "the host that the registry redirects to"
				      : a->place->at->name;

	if (head->status == 401 && !a->foreign && a->challenges++ < CHALLENGES_MAX) {
		*rc = answer_challenge(a, head, used, e);
		return *rc == 0;
	}
	if (head->status == 403 && a->foreign && a->expired++ < EXPIRED_MAX) {
		*rc = 0;
		return true;
	}
	*rc = refusal(t, host, remote_try(a->remote, a->retry.until), e);
	if (*rc == -EACCES && rq->may_hide && used && strcmp(host, "docker.io") == 0)
		*rc = err_prefix(e, -ENOENT, "not there, or not shown to us");
	return retry_is_worth(head->status) && retry_wait(&a->retry, head->retry_after);
}

/* 400 is what servers of TLS say to those that speak in the clear. */
static bool is_clear(const struct endpoint *ep)
{
	return strncmp(ep->base, "http:", 5) == 0;
}

/* A place that never answered gets one try: the next may be the one that exists. */
static int ask_place(struct asking *a, const struct remote_request *rq,
		     struct transfer **out, struct err *e)
{
	struct transfer *t;
	bool again = true;
	char *used;
	int rc = 0;

	while (again) {
		t = NULL;
		used = NULL;
		rc = send_once(a, rq, &used, &t, e);
		if (rc < 0) {
			if (rc == -EKEYREJECTED || rc == -ELOOP) /* answers, of a kind */
				__atomic_store_n(&a->place->has_answered, true,
						 __ATOMIC_RELAXED);
			again = retry_is_worth_error(rc) && has_answered(a->place) &&
				retry_wait(&a->retry, 0);
		} else {
			int status = transfer_head(t)->status;

			if (status != 400 || !is_clear(a->place->at))
				__atomic_store_n(&a->place->has_answered, true,
						 __ATOMIC_RELAXED);
			again = false;
			if (status != 200 && status != 206) {
				again = judge(a, rq, t, used, &rc, e);
				transfer_close(t);
				t = NULL;
			}
		}
		if (again && rc < 0)
			http_count_retry(a->remote->http);
		secret_free(used);
	}
	if (rc < 0)
		return describe(a, rc, e);
	*out = t;
	return 0;
}

static int first_url(const struct endpoint *ep, const char *what, struct buf *url)
{
	int rc = buf_printf(url, "%s%s/%s%s%s", ep->base, ep->prefix, ep->path,
			    ep->path[0] ? "/" : "", what);

	if (rc == 0 && ep->stands_for)
		rc = http_url_query(url, "ns", ep->stands_for);
	return rc;
}

static int ask_at(struct remote *r, size_t i, const struct remote_request *rq,
		  int64_t *until, struct buf *url, struct transfer **out, struct err *e)
{
	struct asking a = {.remote = r, .place = &r->places[i]};
	int rc;

	retry_init(&a.retry, *until);
	buf_init(&a.first, HTTP_URL_MAX);
	buf_init(&a.url, HTTP_URL_MAX);
	rc = first_url(a.place->at, rq->what, &a.first);
	if (rc == 0)
		rc = ask_place(&a, rq, out, e);
	*until = a.retry.until;
	if (rc == 0 && url) {
		buf_clear(url);
		if (a.foreign)
			rc = buf_append_text(url, buf_text(&a.url));
	}
	buf_release(&a.first);
	buf_release(&a.url);
	return rc;
}

static bool is_for(const struct endpoint *ep, const struct remote_request *rq)
{
	return rq->by_tag ? !ep->no_tags : !ep->no_content;
}

/* A place that never answered must leave time for the others. */
static int64_t share_of(const struct place *p, int64_t until, size_t left)
{
	int64_t now = clock_ms();

	if (left < 2 || has_answered(p))
		return until;
	return now + (until - now) / 2;
}

/* A host is two places when its scheme is not known; only one of them can be real. */
static bool other_has_answered(const struct remote *r, size_t at)
{
	if (r->places[at].at->is_guess)
		return has_answered(&r->places[at - 1]);
	return at + 1 < r->endpoints.n && r->places[at + 1].at->is_guess &&
	       has_answered(&r->places[at + 1]);
}

/*
 * All places in their order, the one that answered last first. Only silence leads on
 * to a guess: what was said stands. The error of the registry itself, which is last,
 * is the one to tell; a guess that fails as well says less than what came before.
 */
static int ask_round(struct remote *r, const struct remote_request *rq, int64_t *until,
		     struct buf *url, struct transfer **out, struct err *e)
{
	size_t start = __atomic_load_n(&r->current, __ATOMIC_RELAXED), n = r->endpoints.n,
	       i;
	struct err one = {""};
	int rc = -EIO, now = -EIO;
	int64_t share, before;

	err_set(e, rc, "no host is configured to be asked for this");
	for (i = 0; i < n && now != -ENOMEM; i++) {
		size_t at = (start + i) % n;
		const struct endpoint *ep = r->places[at].at;

		if (!is_for(ep, rq) || (i > 0 && other_has_answered(r, at)))
			continue;
		share = before = share_of(&r->places[at], *until, n - i);
		now = ask_at(r, at, rq, &share, url, out, &one);
		*until += share - before;
		if (now == 0) {
			__atomic_store_n(&r->current, at, __ATOMIC_RELAXED);
			return 0;
		}
		if (i == 0 || !ep->is_guess || has_answered(&r->places[at])) {
			rc = now;
			err_set(e, rc, "%s", one.text);
		}
	}
	return rc;
}

int remote_open(struct remote *r, const struct remote_request *rq, int64_t *until,
		struct buf *url, struct transfer **out, struct err *e)
{
	int64_t began = clock_ms();
	struct retry rounds;
	int rc;

	if (r->offline)
		return err_set(e, -EIO,
			       "not in the cache, and -o offline asks no registry");
	retry_init(&rounds, *until);
	do {
		rc = ask_round(r, rq, until, url, out, e);
		rounds.until = *until;
	} while (rc == -EIO && !remote_is_reached(r) && rounds.tries + 1 < FIRST_TRIES &&
		 retry_wait(&rounds, 0));
	if (rc == -EIO)
		remote_gave_up(r, began);
	return rc;
}

int remote_begin(struct remote *r, const struct remote_request *rq, struct transfer **out)
{
	struct place *p = &r->places[__atomic_load_n(&r->current, __ATOMIC_RELAXED)];
	struct http_request http = {
		.accept = rq->accept,
		.bulk = rq->bulk,
		.spare = rq->spare,
		.has_range = rq->has_range,
		.first = rq->first,
		.last = rq->last,
		.tls = &p->at->tls,
	};
	const struct auth_tls tls = {&p->at->tls, r->elsewhere};
	char *authorization = NULL;
	struct buf url;
	int rc;

	if (r->offline || !has_answered(p) || !is_for(p->at, rq))
		return -EAGAIN;
	buf_init(&url, HTTP_URL_MAX);
	rc = first_url(p->at, rq->what, &url);
	if (rc == 0)
		rc = auth_get(p->lease->auth, &tls, remote_deadline(r), &authorization,
			      NULL);
	http.url = buf_text(&url);
	http.authorization = authorization;
	if (rc == 0)
		rc = http_begin(r->http, &http, out, NULL);
	secret_free(authorization);
	buf_release(&url);
	return rc;
}
