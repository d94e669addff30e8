/* SPDX-License-Identifier: MIT */
/*
 * WWW-Authenticate: what a registry wants before it answers (RFC 9110, 11.6;
 * distribution's token specification).
 */
#ifndef REGISTRY_AUTH_CHALLENGE_H
#define REGISTRY_AUTH_CHALLENGE_H

#include <stddef.h>

enum challenge_scheme { CHALLENGE_OTHER, CHALLENGE_BASIC, CHALLENGE_BEARER };

/* A challenge with a longer value is ignored. */
#define CHALLENGE_REALM_MAX   2048
#define CHALLENGE_SERVICE_MAX 512
#define CHALLENGE_SCOPE_MAX   2048

struct challenge {
	enum challenge_scheme scheme;
	char realm[CHALLENGE_REALM_MAX]; /* Bearer: a URL, perhaps with a query */
	char service[CHALLENGE_SERVICE_MAX];
	char scope[CHALLENGE_SCOPE_MAX]; /* scopes, separated by spaces */
	char error[64];			 /* "insufficient_scope", "invalid_token" */
};

/*
 * Chooses the challenge to answer in @text, where several fields are joined by ", ":
 * the first Bearer challenge that has a realm, else the first Basic one. 0; -ENOENT
 * if there is neither; -E2BIG if only values that are too long stand in the way.
 */
int challenge_choose(const char *text, struct challenge *out);

#endif
