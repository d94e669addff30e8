/* SPDX-License-Identifier: MIT */
#include "registry/auth/token.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"
#include "registry/auth/challenge.h"
#include "registry/auth/credential.h"
#include "registry/http/redirect.h"
#include "registry/http/refusal.h"
#include "registry/http/retry.h"
#include "registry/http/url.h"

/* Tokens of 10 KiB exist; other clients accept answers up to 1 MiB. */
#define TOKEN_ANSWER_MAX (1u << 20)

int token_basic(const struct credential *c, struct token *out)
{
	struct buf plain, value;
	int rc;

	buf_init(&plain, 64u << 10);
	buf_init(&value, 128u << 10);
	rc = buf_printf(&plain, "%s:%s", c->user, c->password);
	if (rc == 0)
		rc = buf_append_text(&value, "Basic ");
	if (rc == 0)
		rc = base64_append(&value, plain.data, plain.len);
	if (rc == 0)
		*out = (struct token){buf_take(&value), TOKEN_SECONDS_MAX};
	secret_release(&plain);
	secret_release(&value);
	return rc;
}

int token_bearer(const char *text, int64_t seconds, struct token *out)
{
	struct buf value;
	int rc;

	buf_init(&value, TOKEN_ANSWER_MAX);
	rc = buf_printf(&value, "Bearer %s", text);
	if (rc == 0)
		*out = (struct token){buf_take(&value), seconds};
	secret_release(&value);
	return rc;
}

/* Fetching a token */

/* "a:b c:d" becomes &scope=a%3Ab&scope=c%3Ad. */
static int append_scopes(struct buf *url, const char *scopes)
{
	char one[CHALLENGE_SCOPE_MAX];
	int rc = 0;

	while (rc == 0 && *(scopes += strspn(scopes, " "))) {
		size_t len = strcspn(scopes, " ");

		memcpy(one, scopes, len);
		one[len] = '\0';
		rc = url_query(url, "scope", one);
		scopes += len;
	}
	return rc;
}

static int write_get(const struct token_request *tr, struct http_request *rq,
		     struct buf *url, char **authorization)
{
	const struct challenge *c = tr->challenge;
	struct token basic = {0};
	int rc = buf_append_text(url, c->realm);

	if (rc == 0 && c->service[0])
		rc = url_query(url, "service", c->service);
	if (rc == 0)
		rc = append_scopes(url, c->scope);
	if (rc == 0 && tr->cred->user && tr->cred->password) {
		rc = url_query(url, "account", tr->cred->user);
		if (rc == 0)
			rc = token_basic(tr->cred, &basic);
		*authorization = basic.value;
	}
	rq->url = buf_text(url);
	rq->authorization = *authorization;
	return rc;
}

/* The OAuth2 form, which an identity token requires. */
static int write_post(const struct token_request *tr, struct http_request *rq,
		      struct buf *form)
{
	const struct challenge *c = tr->challenge;
	const struct {
		const char *name, *value;
	} fields[] = {
		{"service", c->service},
		{"scope", c->scope},
		{"refresh_token", tr->cred->identity_token},
	};
	int rc = buf_append_text(form, "grant_type=refresh_token&client_id=peelfs");
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]) && rc == 0; i++) {
		rc = buf_printf(form, "&%s=", fields[i].name);
		if (rc == 0)
			rc = url_escape(form, fields[i].value);
	}
	rq->url = c->realm;
	rq->form = buf_text(form);
	return rc;
}

static int parse_token(const struct buf *body, struct token *out, struct err *e)
{
	struct json *j = NULL;
	const char *text;
	int64_t seconds = TOKEN_SECONDS;
	int rc = body->len > 0 ? json_parse(body->data, body->len, &j, e)
			       : err_set(e, -EBADMSG, "an empty answer");

	if (rc < 0)
		return err_prefix(e, rc, "the token server's answer");
	text = json_member_string(j, "token");
	if (!text || !text[0])
		text = json_member_string(j, "access_token");
	/* With a line break, the server could add fields to our requests. */
	if (!text || !text[0] || strpbrk(text, "\r\n")) {
		json_free(j);
		return err_set(e, -EBADMSG,
			       "the token server's answer contains no token");
	}
	if (json_member_int(j, "expires_in", &seconds) && seconds <= 0)
		seconds = TOKEN_SECONDS;
	rc = token_bearer(text, seconds < TOKEN_SECONDS_MAX ? seconds : TOKEN_SECONDS_MAX,
			  out);
	json_free(j);
	return rc;
}

/*
 * The password goes to the realm that the registry names. It is sent in the clear only
 * if the registry itself is accessed in the clear.
 */
static int check_realm(const struct token_request *tr, struct err *e)
{
	const struct challenge *c = tr->challenge;
	bool secret = tr->cred->password || tr->cred->identity_token;

	if (strncasecmp(c->realm, "https://", 8) == 0)
		return 0;
	if (strncasecmp(c->realm, "http://", 7) != 0)
		return err_set(
			e, -EACCES,
			"the registry names a token server that is not a URL: %.200s",
			c->realm);
	if (secret && strncmp(tr->base, "https://", 8) == 0)
		return err_set(
			e, -EACCES,
			"the registry asks for the password in the clear at %.200s; it is "
			"not sent",
			c->realm);
	return 0;
}

static bool is_under(const char *url, const char *base)
{
	size_t len = strlen(base);

	return strncasecmp(url, base, len) == 0 && strchr("/?", url[len]);
}

/* Sends the request, again while a retry may help. */
static int send_request(const struct token_request *tr, const struct http_request *rq,
			const struct http_tls *elsewhere, int64_t until, struct buf *body,
			struct err *e)
{
	struct transfer *t = NULL;
	struct retry retry;
	struct place place;
	bool again;
	int rc;

	retry_init(&retry, tr->http, until);
	place_init(&place);
	do {
		const struct http_head *head;

		t = NULL;
		rc = http_follow(tr->http, rq, elsewhere, &retry.until, &place, &t, e);
		if (rc < 0) {
			/* After -EIO the server is known to exist; else three tries. */
			again = retry_is_worth_error(rc) &&
				(rc == -EIO || retry.tries < 3) && retry_wait(&retry, 0);
			continue;
		}
		head = transfer_head(t);
		buf_clear(body);
		if (head->status == 200) {
			rc = transfer_read_all(t, body, retry.until, e);
			again = retry_is_worth_error(rc) && retry_wait(&retry, 0);
		} else {
			rc = refusal(t, "the token server", retry.until, e);
			again = retry_is_worth(head->status) &&
				retry_wait(&retry, head->retry_after);
			/* such as 400 for an expired token: a retry is pointless */
			if (rc == -EIO && !retry_is_worth(head->status))
				rc = -EACCES;
		}
		transfer_close(t);
	} while (again);
	place_release(&place);
	return rc;
}

/* By the OAuth2 form with @by_post, else with the password or anonymously. */
static int fetch_by(const struct token_request *tr, bool by_post, int64_t until,
		    struct token *out, struct err *e)
{
	const struct challenge *c = tr->challenge;
	struct http_request rq = {.tls = is_under(c->realm, tr->base)
						 ? tr->tls->registry
						 : tr->tls->elsewhere};
	struct buf text, body;
	char *authorization = NULL;
	int rc;

	buf_init(&text, by_post ? 128u << 10 : HTTP_URL_MAX);
	buf_init(&body, TOKEN_ANSWER_MAX);
	rc = by_post ? write_post(tr, &rq, &text)
		     : write_get(tr, &rq, &text, &authorization);
	if (rc < 0)
		err_set(e, rc, "cannot write a request to the token server %.200s",
			c->realm);
	else
		rc = send_request(tr, &rq, tr->tls->elsewhere, until, &body, e);
	if (rc == 0)
		rc = parse_token(&body, out, e);
	secret_free(authorization);
	secret_release(&text);
	secret_release(&body);
	return rc;
}

int token_fetch(const struct token_request *tr, int64_t until, struct token *out,
		struct err *e)
{
	const struct credential *cred = tr->cred;
	int rc = check_realm(tr, e);

	if (rc < 0)
		return rc;
	rc = fetch_by(tr, cred->identity_token != NULL, until, out, e);
	/* Not all servers that know users take identity tokens. */
	if (cred->identity_token && cred->user && cred->password &&
	    (rc == -ENOENT || rc == -EACCES || rc == -ENOTSUP || rc == -EBADMSG))
		rc = fetch_by(tr, false, until, out, e);
	/* Many token servers answer 404 for a repository that does not exist. */
	if (rc == -ENOENT)
		rc = -EACCES;
	else if (rc == -ECONNREFUSED || rc == -EPROTO || rc == -ETIMEDOUT ||
		 rc == -ELOOP || rc == -EKEYREJECTED)
		rc = err_prefix(e, -EIO, "no token");
	return rc;
}
