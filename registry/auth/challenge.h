/* SPDX-License-Identifier: MIT */
/*
 * WWW-Authenticate: what a registry wants to see before it answers (RFC 9110, 11.6;
 * distribution's token specification). Foreign text; pure.
 */
#ifndef REGISTRY_AUTH_CHALLENGE_H
#define REGISTRY_AUTH_CHALLENGE_H

#include <stddef.h>

enum challenge_scheme { CHALLENGE_OTHER, CHALLENGE_BASIC, CHALLENGE_BEARER };

/* Longer values are cut off with their challenge: nobody means well with them. */
#define CHALLENGE_REALM_MAX   2048
#define CHALLENGE_SERVICE_MAX 512
#define CHALLENGE_SCOPE_MAX   2048

struct challenge {
	enum challenge_scheme scheme;
	char realm[CHALLENGE_REALM_MAX]; /* Bearer: a URL, perhaps with a query */
	char service[CHALLENGE_SERVICE_MAX];
	char scope[CHALLENGE_SCOPE_MAX]; /* scopes with a space between */
	char error[64];			 /* "insufficient_scope", "invalid_token" */
};

/*
 * The challenge to answer among all that @text holds, in which several fields are
 * joined by ", ": the first Bearer that has a realm, else the first Basic. 0,
 * -ENOENT if there is neither.
 */
int challenge_choose(const char *text, struct challenge *out);

#endif
