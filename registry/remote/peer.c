/* SPDX-License-Identifier: MIT */
#include "registry/remote/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "registry/auth/auths.h"
#include "registry/auth/token.h"
#include "registry/config/hosts.h"
#include "registry/http/http.h"
#include "registry/http/redirect.h"
#include "registry/http/refusal.h"
#include "registry/http/retry.h"
#include "registry/http/url.h"

/* One to learn the challenge, one for a token that expired or was revoked. */
#define CHALLENGES_MAX 2

/*
 * How often one request asks for a new signed URL. A new URL may be refused too: its number of
 * uses may be limited, and curl repeats a request when a kept connection breaks at once.
 */
#define EXPIRED_MAX 2

/* How often a new token is tried again, and the tries that the waits begin with: 1 to 2 s. */
#define EARLY_MAX   2
#define EARLY_TRIES 3

bool peer_has_answered(const struct peer *p)
{
	return __atomic_load_n(&p->has_answered, __ATOMIC_RELAXED);
}

bool peer_serves(const struct peer *p, const struct remote_request *rq)
{
	if (p->is_writer && p->at->is_mirror)
		return false;
	return rq->by_tag ? !p->at->no_tags : !p->at->no_content;
}

int64_t peer_try_deadline(unsigned timeout, int64_t until)
{
	int64_t third = clock_ms() + (int64_t)timeout * 1000 / 3;

	return third < until ? third : until;
}

struct attempt {
	struct peer *peer;
	struct retry retry;
	unsigned challenges; /* answered so far */
	unsigned expired;    /* signed URLs refused so far */
	unsigned early;	     /* how often its new token was not accepted yet */
	bool is_renewed;     /* what an unclear refusal might have meant */
	bool whole;	     /* without the range, which was refused */
	bool was_whole;
	bool is_elsewhere; /* the request goes to another host than the peer */
	struct buf first;  /* the URL at the registry */
	struct place *place;
};

/* Sends the request with its Authorization. Time in the queue moves the deadline. */
static int attempt_send(struct attempt *a, const struct remote_request *rq, char **used,
			struct transfer **out, struct err *e)
{
	struct http_request http = {
		.url = buf_text(&a->first),
		.accept = rq->accept,
		.head = rq->head,
		.bulk = rq->bulk,
		.has_range = rq->has_range && !a->whole,
		.first = rq->first,
		.last = rq->last,
		.upload = rq->upload,
		.tls = a->is_elsewhere ? a->peer->foreign_tls : &a->peer->at->tls,
	};
	const struct auth_tls tls = {&a->peer->at->tls, a->peer->foreign_tls};
	int64_t until, before;
	int rc = 0;

	if (!a->is_elsewhere)
		rc = auth_get(a->peer->lease->auth, &tls, a->retry.until, used, e);
	if (rc < 0)
		return rc;
	http.authorization = *used;
	until = before = peer_try_deadline(a->peer->timeout, a->retry.until);
	rc = http_follow(a->peer->http, &http, a->peer->foreign_tls, &until, a->place,
			 out, e);
	a->retry.until += until - before;
	return rc;
}

/* Some 401 responses lack a challenge; the root of the API always has one. */
static int attempt_get_challenge(struct attempt *a, char **challenge, struct err *e)
{
	struct http_request rq = {.tls = &a->peer->at->tls};
	struct transfer *t = NULL;
	int64_t until = peer_try_deadline(a->peer->timeout, a->retry.until);
	struct buf url;
	int rc;

	buf_init(&url, HTTP_URL_MAX);
	rc = buf_printf(&url, "%s%s/", a->peer->at->base, a->peer->at->prefix);
	rq.url = buf_text(&url);
	if (rc == 0)
		rc = http_open(a->peer->http, &rq, &until, &t, e);
	if (rc == 0 && transfer_head(t)->challenge)
		*challenge = strdup(transfer_head(t)->challenge);
	transfer_close(t);
	buf_release(&url);
	return rc;
}

/* After a 401. 0: try again. */
static int attempt_authorize(struct attempt *a, const struct http_head *head,
			     const char *used, struct err *e)
{
	char *challenge = NULL;
	int rc = auth_refused(a->peer->lease->auth, used, head->challenge);

	if (rc == -ENOENT && head->is_challenge_long)
		rc = -E2BIG;
	if (rc == -ENOENT) {
		rc = attempt_get_challenge(a, &challenge, e);
		if (rc == 0)
			rc = auth_refused(a->peer->lease->auth, used, challenge);
	}
	free(challenge);
	if (rc == -ENOENT || rc == -E2BIG)
		rc = err_set(e, -EACCES, "%s answers 401 Unauthorized %s",
			     a->peer->at->name,
			     rc == -ENOENT ? "without a challenge"
					   : "with a challenge that is too long");
	else if (rc == -ENOMEM)
		err_set(e, rc, "out of memory");
	return rc;
}

/* Maps transport errors to -EIO and adds the host to the sentence. */
static int attempt_describe(const struct attempt *a, int rc, struct err *e)
{
	const struct endpoint *ep = a->peer->at;

	switch (rc) {
	case -ECONNREFUSED:
		return err_prefix(e, -EIO, "cannot reach the registry %s", ep->name);
	case -EPROTO:
		return err_prefix(e, -EIO,
				  "the TLS handshake with the registry %s failed",
				  ep->name);
	case -EKEYREJECTED:
		return err_prefix(
			e, -EIO,
			"the certificate of %s is not trusted (-o cacert= names a file "
			"of trusted certificates, -o insecure trusts any)",
			ep->name);
	case -ETIMEDOUT:
		return err_prefix(e, -EIO, "the registry %s is too slow", ep->name);
	case -ELOOP:
		return err_prefix(e, -EIO, "the registry %s", ep->name);
	default:
		return rc;
	}
}

/*
 * After a 401 to a token that was just issued: it may become valid soon, where the clock of one
 * of the registry's machines is late. Hosts that say what is wrong are believed.
 */
static bool attempt_await_token(struct attempt *a, const struct remote_request *rq,
				const struct http_head *head, const char *used)
{
	if (!used || strncmp(used, "Bearer ", 7) != 0 || rq->may_hide || rq->head ||
	    (head->challenge && strstr(head->challenge, "insufficient_scope")) ||
	    a->early++ == EARLY_MAX)
		return false;
	a->retry.tries = EARLY_TRIES;
	return retry_wait(&a->retry, 0);
}

/* Can another request be answered better, with a right or a URL that is new? *rc: 0 then. */
static bool attempt_renew(struct attempt *a, const struct remote_request *rq,
			  const struct http_head *head, const char *used, int *rc,
			  struct err *e)
{
	int status = head->status;

	*rc = 0;
	if (a->is_elsewhere)
		return false;
	if (a->place->foreign)
		return (status == 401 || status == 403) && a->expired++ < EXPIRED_MAX;
	if (status == 401 && a->challenges++ < CHALLENGES_MAX) {
		*rc = attempt_authorize(a, head, used, e);
		return *rc == 0;
	}
	if (status == 401)
		return attempt_await_token(a, rq, head, used);
	/* Some registries do not say that a token or password has expired. */
	if ((status != 400 && status != 403) || !used || head->challenge || a->is_renewed)
		return false;
	a->is_renewed = true;
	return auth_renew(a->peer->lease->auth, used);
}

/*
 * Firewalls and old proxies refuse ranges: then the blob is requested without one, once. A
 * server error is repeated before, for it may be a passing one.
 */
static bool attempt_drop_range(struct attempt *a, const struct remote_request *rq,
			       int status)
{
	bool is_refused = status == 206 || status == 400 || status == 403 ||
			  status == 416 || status == 501 ||
			  (status >= 500 && a->retry.tries > 0);

	a->whole = rq->has_range && !a->was_whole && is_refused;
	a->was_whole |= a->whole;
	return a->whole;
}

/* Handles a response that is not the requested one. True: try again. */
static bool attempt_judge(struct attempt *a, const struct remote_request *rq,
			  struct transfer *t, const char *used, int *rc, struct err *e)
{
	const struct http_head *head = transfer_head(t);
	const char *host = a->place->foreign ? "the host that the registry redirects to"
					     : a->peer->at->name;

	if (attempt_renew(a, rq, head, used, rc, e) ||
	    (*rc == 0 && attempt_drop_range(a, rq, head->status)))
		return true;
	if (*rc == 0)
		*rc = refusal(t, host,
			      peer_try_deadline(a->peer->timeout, a->retry.until), e);
	if (*rc == -EACCES && rq->may_hide && used && strcmp(host, "docker.io") == 0)
		*rc = err_prefix(e, -ENOENT, "not found, or access is denied");
	if (rq->may_lack && (head->status == 400 || head->status == 406))
		*rc = -ENOTSUP;
	if (rq->head && *rc != -ENOMEM)
		*rc = -ESTALE;
	return !rq->head && !rq->once && retry_is_worth(head->status) &&
	       retry_wait(&a->retry, head->retry_after);
}

/* Several parts in one body are never requested. */
static bool is_wanted(const struct http_head *head, const struct remote_request *rq)
{
	if (rq->upload || rq->url)
		return head->status >= 200 && head->status <= 204;
	return head->status == 200 ||
	       (head->status == 206 &&
		(!head->content_type ||
		 strncasecmp(head->content_type, "multipart/", 10) != 0));
}

/* A TLS server answers plain HTTP with 400. */
static bool is_plain_http(const struct endpoint *ep)
{
	return strncmp(ep->base, "http:", 5) == 0;
}

/* A peer that never answered gets one try: it may not exist, and the next one may. */
static int attempt_run(struct attempt *a, const struct remote_request *rq,
		       struct transfer **out, struct err *e)
{
	struct transfer *t;
	bool again = true;
	char *used;
	int rc = 0;

	while (again) {
		t = NULL;
		used = NULL;
		rc = attempt_send(a, rq, &used, &t, e);
		if (rc < 0) {
			if (rc == -EKEYREJECTED || rc == -ELOOP) /* it is there */
				__atomic_store_n(&a->peer->has_answered, true,
						 __ATOMIC_RELAXED);
			again = retry_is_worth_error(rc) && peer_has_answered(a->peer) &&
				!rq->once && retry_wait(&a->retry, 0);
		} else {
			const struct http_head *head = transfer_head(t);

			if (head->status != 400 || !is_plain_http(a->peer->at))
				__atomic_store_n(&a->peer->has_answered, true,
						 __ATOMIC_RELAXED);
			again = false;
			if (is_wanted(head, rq)) {
				auth_accepted(a->peer->lease->auth, used);
			} else {
				again = attempt_judge(a, rq, t, used, &rc, e);
				transfer_close(t);
				t = NULL;
			}
		}
		if (again && rc < 0)
			http_count_retry(a->peer->http);
		secret_free(used);
	}
	if (rc < 0)
		return attempt_describe(a, rc, e);
	*out = t;
	return 0;
}

static int request_url(const struct endpoint *ep, const char *what, struct buf *url)
{
	int rc = buf_printf(url, "%s%s/%s%s%s", ep->base, ep->prefix, ep->path,
			    ep->path[0] ? "/" : "", what);

	if (rc == 0 && ep->stands_for)
		rc = url_query(url, "ns", ep->stands_for);
	return rc;
}

int peer_request(struct peer *p, const struct remote_request *rq, int64_t *until,
		 struct place *place, struct transfer **out, struct err *e)
{
	struct attempt a = {.peer = p, .place = place};
	int rc;

	retry_init(&a.retry, p->http, *until);
	buf_init(&a.first, HTTP_URL_MAX);
	rc = rq->url ? buf_append_text(&a.first, rq->url)
		     : request_url(p->at, rq->what, &a.first);
	a.is_elsewhere = rq->url && !url_has_origin(rq->url, p->at->base);
	if (rc == 0)
		rc = attempt_run(&a, rq, out, e);
	*until = a.retry.until;
	buf_release(&a.first);
	return rc;
}

int peer_begin(struct peer *p, const struct remote_request *rq, int64_t until,
	       struct transfer **out)
{
	struct http_request http = {
		.accept = rq->accept,
		.bulk = rq->bulk,
		.spare = rq->spare,
		.has_range = rq->has_range,
		.first = rq->first,
		.last = rq->last,
		.tls = &p->at->tls,
	};
	const struct auth_tls tls = {&p->at->tls, p->foreign_tls};
	char *authorization = NULL;
	struct buf url;
	int rc;

	if (!peer_has_answered(p) || !peer_serves(p, rq))
		return -EAGAIN;
	buf_init(&url, HTTP_URL_MAX);
	rc = request_url(p->at, rq->what, &url);
	if (rc == 0)
		rc = auth_get(p->lease->auth, &tls, until, &authorization, NULL);
	http.url = buf_text(&url);
	http.authorization = authorization;
	if (rc == 0)
		rc = http_begin(p->http, &http, out, NULL);
	secret_free(authorization);
	buf_release(&url);
	return rc;
}
