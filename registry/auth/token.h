/* SPDX-License-Identifier: MIT */
/*
 * What is sent in Authorization: a user and password (RFC 7617), or a token that the
 * server named in a challenge gives for them (distribution's token specification).
 */
#ifndef REGISTRY_AUTH_TOKEN_H
#define REGISTRY_AUTH_TOKEN_H

#include <stdint.h>

#include "registry/auth/challenge.h"
#include "registry/auth/credentials.h"
#include "registry/http/http.h"

struct buf;
struct err;

/* As long as a token that does not say, and as long as any. */
#define TOKEN_SECONDS	  60
#define TOKEN_SECONDS_MAX (24 * 3600)

struct token {
	char *value; /* "Bearer ...", "Basic ...": secret, for secret_free() */
	int64_t seconds;
};

/* How its hosts prove themselves, and we to them. */
struct auth_tls {
	const struct http_tls *registry;
	/* a realm on another host; NULL the system's */
	const struct http_tls *elsewhere;
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
 * Asks the token server, until @until. -EACCES with a sentence: it refuses, or must not be
 * shown what we have; -EIO: it cannot be had; -EBADMSG.
 */
int token_fetch(const struct token_request *tr, int64_t until, struct token *out,
		struct err *e);

/* "Basic ..." of user and password. 0, -E2BIG, -ENOMEM. */
int basic_value(const struct credential *c, char **out);
/* "Bearer TEXT" for some seconds; -ENOMEM, -E2BIG. */
int bearer_token(const char *text, int64_t seconds, struct token *out);

#endif
