/* SPDX-License-Identifier: MIT */
/*
 * Values of the Authorization field: a user and password (RFC 7617), or a token from the
 * server that a challenge names (distribution's token specification).
 */
#ifndef REGISTRY_AUTH_TOKEN_H
#define REGISTRY_AUTH_TOKEN_H

#include <stdint.h>

struct challenge;
struct credential;
struct err;
struct http;
struct http_tls;

/* The life of a token that does not state it, and the longest life. */
#define TOKEN_SECONDS	  60
#define TOKEN_SECONDS_MAX (24 * 3600)

struct token {
	char *value; /* "Bearer ...", "Basic ...": secret, for secret_free() */
	int64_t seconds;
};

/* How to connect to the registry, and to a token server on another host. */
struct auth_tls {
	const struct http_tls *registry;
	const struct http_tls *elsewhere; /* NULL: the system's */
};

/* All borrowed for the call. */
struct token_request {
	struct http *http;
	const char *base; /* the registry's "https://host" */
	const struct challenge *challenge;
	const struct credential *cred; /* may be empty */
	const struct auth_tls *tls;
};

/*
 * Asks the token server, until @until. -EACCES with a sentence: it refuses, or it must
 * not see our password; -EIO: it cannot be reached; -EBADMSG: its answer has no token.
 */
int token_fetch(const struct token_request *tr, int64_t until, struct token *out,
		struct err *e);

/* "Basic ..." for a user and password. 0, -E2BIG or -ENOMEM. */
int token_basic(const struct credential *c, struct token *out);
/* "Bearer TEXT", valid for @seconds. 0, -E2BIG or -ENOMEM. */
int token_bearer(const char *text, int64_t seconds, struct token *out);

#endif
