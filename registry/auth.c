/* SPDX-License-Identifier: MIT */
#include "registry/auth.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "registry/challenge.h"
#include "registry/follow.h"
#include "registry/refusal.h"
#include "registry/retry.h"

/* Tokens of 10 KiB are known; others cap the answer at 1 MiB. */
#define TOKEN_ANSWER_MAX  (1u << 20)
#define TOKEN_SECONDS	  60 /* when the answer does not say */
#define TOKEN_SECONDS_MAX (24 * 3600)

struct auth {
	struct http *http;
	struct keychain *keychain;
	char *const *helpers;
	size_t n_helpers;
	char *base, *repository, *host, *authfile;

	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t changed;
	struct challenge challenge; /* scheme OTHER: none met yet */
	char *value;		    /* of the Authorization field */
	int64_t renew_at;	    /* on http_now()'s clock */
	bool fetching;		    /* by one thread, which then owns what follows */
	struct credential cred;
	bool has_cred;	    /* they were looked for */
	bool is_refused;    /* what was made of them last */
	struct err trouble; /* why they could not be found; "" if all went well */
};

static void wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_release(b);
}

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

int auth_new(struct http *http, const struct auth_options *options, struct auth **out,
	     struct err *e)
{
	struct auth *a = calloc(1, sizeof(*a));

	if (!a)
		return out_of_memory(e);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	a->http = http;
	a->keychain = options->keychain;
	a->helpers = options->helpers;
	a->n_helpers = options->n_helpers;
	a->base = strdup(options->base);
	a->repository = strdup(options->repository);
	a->host = strdup(options->host);
	a->authfile = options->authfile ? strdup(options->authfile) : NULL;
	if (!a->base || !a->repository || !a->host ||
	    (options->authfile && !a->authfile)) {
		auth_free(a);
		return out_of_memory(e);
	}
	*out = a;
	return 0;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	credential_release(&a->cred);
	secret_free(a->value);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->changed);
	free(a->base);
	free(a->repository);
	free(a->host);
	free(a->authfile);
	free(a);
}

/* RFC 4648, 4. */
static int append_base64(struct buf *out, const char *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)data;
	int rc = 0;

	for (; len > 0 && rc == 0; p += 3) {
		size_t n = len < 3 ? len : 3;
		unsigned v = (unsigned)p[0] << 16 | (n > 1 ? (unsigned)p[1] << 8 : 0) |
			     (n > 2 ? p[2] : 0);
		char four[4] = {digits[v >> 18], digits[v >> 12 & 63],
				n > 1 ? digits[v >> 6 & 63] : '=',
				n > 2 ? digits[v & 63] : '='};

		rc = buf_append(out, four, 4);
		len -= n;
	}
	return rc;
}

/* "Basic ..." for user and password. */
static int basic_value(const struct credential *c, char **out)
{
	struct buf plain, value;
	int rc;

	buf_init(&plain, 64u << 10);
	buf_init(&value, 128u << 10);
	rc = buf_printf(&plain, "%s:%s", c->user, c->password);
	if (rc == 0)
		rc = buf_append_text(&value, "Basic ");
	if (rc == 0)
		rc = append_base64(&value, plain.data, plain.len);
	if (rc == 0)
		*out = buf_take(&value);
	wipe(&plain);
	wipe(&value);
	return rc;
}

/* Fetching a token */

struct token {
	char *value; /* "Bearer ..." */
	int64_t seconds;
};

/* "a:b c:d" becomes &scope=a%3Ab&scope=c%3Ad. */
static int append_scopes(struct buf *url, const char *scopes)
{
	char one[CHALLENGE_SCOPE_MAX];
	int rc = 0;

	while (rc == 0 && *(scopes += strspn(scopes, " "))) {
		size_t len = strcspn(scopes, " ");

		memcpy(one, scopes, len);
		one[len] = '\0';
		rc = http_url_query(url, "scope", one);
		scopes += len;
	}
	return rc;
}

static int get_request(struct auth *a, const struct challenge *c, struct http_request *rq,
		       struct buf *url, char **authorization)
{
	int rc = buf_append_text(url, c->realm);

	if (rc == 0 && c->service[0])
		rc = http_url_query(url, "service", c->service);
	if (rc == 0)
		rc = append_scopes(url, c->scope);
	if (rc == 0 && a->cred.user && a->cred.password) {
		rc = http_url_query(url, "account", a->cred.user);
		if (rc == 0)
			rc = basic_value(&a->cred, authorization);
	}
	rq->url = buf_text(url);
	rq->authorization = *authorization;
	return rc;
}

/* The OAuth2 form, the only one that takes an identity token. */
static int post_request(struct auth *a, const struct challenge *c,
			struct http_request *rq, struct buf *form)
{
	const struct {
		const char *name, *value;
	} fields[] = {
		{"service", c->service},
		{"scope", c->scope},
		{"refresh_token", a->cred.identity_token},
	};
	int rc = buf_append_text(form, "grant_type=refresh_token&client_id=peelfs");
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]) && rc == 0; i++) {
		rc = buf_printf(form, "&%s=", fields[i].name);
		if (rc == 0)
			rc = http_escape(form, fields[i].value);
	}
	rq->url = c->realm;
	rq->form = buf_text(form);
	return rc;
}

static int parse_token(const struct buf *body, struct token *out, struct err *e)
{
	struct json *j = NULL;
	const char *text;
	struct buf value;
	int64_t seconds = TOKEN_SECONDS;
	int rc = body->len > 0 ? json_parse(body->data, body->len, &j, e)
			       : err_set(e, -EBADMSG, "an empty answer");

	if (rc < 0)
		return err_prefix(e, rc, "the token server's answer");
	text = json_member_string(j, "token");
	if (!text || !text[0])
		text = json_member_string(j, "access_token");
	/* A line break would let the server write header fields of ours. */
	if (!text || !text[0] || strpbrk(text, "\r\n")) {
		json_free(j);
		return err_set(e, -EBADMSG, "the token server's answer holds no token");
	}
	if (json_member_int(j, "expires_in", &seconds) && seconds <= 0)
		seconds = TOKEN_SECONDS;
	out->seconds = seconds < TOKEN_SECONDS_MAX ? seconds : TOKEN_SECONDS_MAX;
	buf_init(&value, TOKEN_ANSWER_MAX);
	rc = buf_printf(&value, "Bearer %s", text);
	if (rc == 0)
		out->value = buf_take(&value);
	wipe(&value);
	json_free(j);
	return rc;
}

/*
 * Our password goes to the realm that the registry names, and so in the clear only
 * where the registry itself is asked in the clear.
 */
static int check_realm(const struct auth *a, const struct challenge *c, struct err *e)
{
	bool secret = a->cred.password || a->cred.identity_token;

	if (!strncasecmp(c->realm, "https://", 8))
		return 0;
	if (strncasecmp(c->realm, "http://", 7) != 0)
		return err_set(e, -EACCES,
			       "the registry names a token server that is no URL: %.200s",
			       c->realm);
	if (secret && !strncmp(a->base, "https://", 8))
		return err_set(
			e, -EACCES,
			"the registry wants our password sent in the clear to %.200s, "
			"which is not done",
			c->realm);
	return 0;
}

static bool is_under(const char *url, const char *base)
{
	size_t len = strlen(base);

	return !strncasecmp(url, base, len) && strchr("/?", url[len]);
}

/* One request for a token, tried again while that may help. */
static int ask(struct auth *a, const struct http_request *rq,
	       const struct http_tls *elsewhere, int64_t until, struct buf *body,
	       struct err *e)
{
	struct transfer *t = NULL;
	struct retry retry;
	bool foreign, again;
	struct buf url;
	int rc;

	retry_init(&retry, until);
	buf_init(&url, HTTP_URL_MAX);
	do {
		const struct http_head *head;

		t = NULL;
		rc = http_follow(a->http, rq, elsewhere, &retry.until, &url, &foreign, &t,
				 e);
		if (rc < 0) {
			again = retry_is_worth_error(rc) && retry.tries < 3 &&
				retry_wait(&retry, NULL);
			continue;
		}
		head = transfer_head(t);
		buf_clear(body);
		if (head->status == 200) {
			rc = transfer_read_all(t, body, retry.until, e);
			again = retry_is_worth_error(rc) && retry_wait(&retry, NULL);
		} else {
			rc = refusal(t, "the token server", retry.until, e);
			again = retry_is_worth(head->status) &&
				retry_wait(&retry, head->retry_after);
		}
		transfer_close(t);
	} while (again);
	buf_release(&url);
	return rc;
}

static int fetch_token(struct auth *a, const struct challenge *c,
		       const struct auth_tls *tls, int64_t until, struct token *out,
		       struct err *e)
{
	struct http_request rq = {.tls = is_under(c->realm, a->base) ? tls->registry
								     : tls->elsewhere};
	struct buf url, form, body;
	char *authorization = NULL;
	int rc = check_realm(a, c, e);

	if (rc < 0)
		return rc;
	buf_init(&url, HTTP_URL_MAX);
	buf_init(&form, 128u << 10);
	buf_init(&body, TOKEN_ANSWER_MAX);
	rc = a->cred.identity_token ? post_request(a, c, &rq, &form)
				    : get_request(a, c, &rq, &url, &authorization);
	if (rc < 0)
		err_set(e, rc, "cannot write a request to the token server %.200s",
			c->realm);
	else
		rc = ask(a, &rq, tls->elsewhere, until, &body, e);
	if (rc == 0)
		rc = parse_token(&body, out, e);
	/* A registry without the repository often has no token server that knows it. */
	if (rc == -ENOENT)
		rc = -EACCES;
	else if (rc == -ECONNREFUSED || rc == -EPROTO || rc == -ETIMEDOUT ||
		 rc == -ELOOP || rc == -EKEYREJECTED)
		rc = err_prefix(e, -EIO, "no token");
	secret_free(authorization);
	wipe(&form);
	wipe(&body);
	buf_release(&url);
	return rc;
}

/* Making the value; by the one thread that has a->fetching */

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* True if there are credentials other than those that we had. */
static bool look_for_credentials(struct auth *a)
{
	const struct credential_query q = {
		.host = a->host,
		.path = a->repository,
		.authfile = a->authfile,
		.keychain = a->keychain,
		.helpers = a->helpers,
		.n_helpers = a->n_helpers,
		.anew = a->has_cred,
	};
	struct credential now = {0};
	bool changed;

	a->trouble.text[0] = '\0';
	if (credentials_find(&q, &now, &a->trouble) == 0)
		a->trouble.text[0] = '\0';
	changed = !same_text(now.user, a->cred.user) ||
		  !same_text(now.password, a->cred.password) ||
		  !same_text(now.identity_token, a->cred.identity_token) ||
		  !same_text(now.registry_token, a->cred.registry_token);
	credential_release(&a->cred);
	a->cred = now;
	a->has_cred = true;
	return changed;
}

static int no_password(const struct auth *a, struct err *e)
{
	return err_set(
		e, -EACCES,
		"%s wants a user and a password: log in with `docker login` or `podman "
		"login`, or name the file that holds them with -o authfile=",
		a->host);
}

static int refused(const struct auth *a, struct err *e)
{
	return err_set(e, -EACCES,
		       "%s refuses the user and password that we have: log in again",
		       a->host);
}

static int registry_token(const struct auth *a, struct token *out, struct err *e)
{
	struct buf b;

	buf_init(&b, TOKEN_ANSWER_MAX);
	if (buf_printf(&b, "Bearer %s", a->cred.registry_token) == 0)
		out->value = buf_take(&b);
	wipe(&b);
	out->seconds = TOKEN_SECONDS_MAX;
	return out->value ? 0 : out_of_memory(e);
}

static int try_value(struct auth *a, const struct challenge *c,
		     const struct auth_tls *tls, int64_t until, struct token *out,
		     struct err *e)
{
	if (a->is_refused && (a->cred.registry_token || c->scheme == CHALLENGE_BASIC))
		return refused(a, e);
	if (a->cred.registry_token)
		return registry_token(a, out, e);
	if (c->scheme == CHALLENGE_BEARER)
		return fetch_token(a, c, tls, until, out, e);
	if (!a->cred.user || !a->cred.password)
		return no_password(a, e);
	out->seconds = TOKEN_SECONDS_MAX;
	return basic_value(&a->cred, &out->value) < 0 ? out_of_memory(e) : 0;
}

static int make_value(struct auth *a, const struct challenge *c,
		      const struct auth_tls *tls, int64_t until, struct token *out,
		      struct err *e)
{
	bool just_looked = !a->has_cred;
	int rc;

	if (just_looked)
		look_for_credentials(a);
	rc = try_value(a, c, tls, until, out, e);
	/* What a helper gives may have a short life: it is asked again, once. */
	if (rc == -EACCES && !just_looked && look_for_credentials(a)) {
		a->is_refused = false;
		rc = try_value(a, c, tls, until, out, e);
	}
	if (rc == -EACCES && a->trouble.text[0])
		err_prefix(e, rc, "%s", a->trouble.text);
	return rc;
}

static int copy_value(const char *value, char **out, struct err *e)
{
	*out = strdup(value);
	return *out ? 0 : out_of_memory(e);
}

int auth_get(struct auth *a, const struct auth_tls *tls, int64_t until, char **out,
	     struct err *e)
{
	struct token token = {0};
	struct challenge c;
	int rc = 0;

	*out = NULL;
	pthread_mutex_lock(&a->lock);
	/* The one that fetches has a deadline of its own, so this wait ends too. */
	while (a->fetching)
		pthread_cond_wait(&a->changed, &a->lock);
	if (a->value && http_now() < a->renew_at) {
		rc = copy_value(a->value, out, e);
	} else if (a->challenge.scheme != CHALLENGE_OTHER) {
		a->fetching = true;
		c = a->challenge;
		pthread_mutex_unlock(&a->lock);
		rc = make_value(a, &c, tls, until, &token, e);
		pthread_mutex_lock(&a->lock);
		a->fetching = false;
		secret_free(a->value);
		a->value = token.value;
		/* A tenth of its life is kept back for requests on their way. */
		a->renew_at = http_now() + token.seconds * 900;
		if (rc == 0)
			rc = copy_value(a->value, out, e);
		pthread_cond_broadcast(&a->changed);
	}
	pthread_mutex_unlock(&a->lock);
	return rc;
}

int auth_refused(struct auth *a, const char *used, const char *challenge)
{
	struct challenge c;
	int rc = challenge ? challenge_choose(challenge, &c) : -ENOENT;

	if (rc < 0)
		return rc;
	if (!c.scope[0] && !a->repository[0]) {
		strcpy(c.scope, "registry:catalog:*");
	} else if (!c.scope[0] && strlen(a->repository) + 20 < sizeof(c.scope)) {
		strcpy(c.scope, "repository:");
		strcat(c.scope, a->repository);
		strcat(c.scope, ":pull");
	}
	pthread_mutex_lock(&a->lock);
	while (a->fetching)
		pthread_cond_wait(&a->changed, &a->lock);
	/* A value that was renewed since the request left is as good as a new one. */
	if (!a->value || (used && !strcmp(used, a->value))) {
		a->is_refused = used != NULL;
		secret_free(a->value);
		a->value = NULL;
		a->challenge = c;
	}
	pthread_mutex_unlock(&a->lock);
	return 0;
}
