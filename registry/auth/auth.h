/* SPDX-License-Identifier: MIT */
/*
 * The right to read one repository at one registry: what the Authorization field of a
 * request has to say (distribution's token specification, RFC 7617).
 *
 * The registry's challenge teaches what it wants. A Bearer token is then got from the
 * realm that it names, with our credentials or as nobody, kept for its life, and
 * renewed a little before that ends. Credentials are looked for when a challenge is
 * met, not before, and again when they are refused. Many threads may ask at once: one
 * fetches, the others wait for it.
 */
#ifndef REGISTRY_AUTH_AUTH_H
#define REGISTRY_AUTH_AUTH_H

#include <stdint.h>

#include "registry/auth/credentials.h"
#include "registry/http/http.h"

struct err;

struct auth;
struct auth_tls; /* token.h */

/* Texts are copied. */
struct auth_options {
	const char *base;	   /* the registry's "https://host" */
	const char *repository;	   /* the path read there; "" for its catalog */
	const char *host;	   /* whose credentials are used: "docker.io" */
	const char *authfile;	   /* see credentials.h; may be NULL */
	struct keychain *keychain; /* borrowed for life */
	char *const *helpers;	   /* the same; see credentials.h */
	size_t n_helpers;
};

int auth_new(struct http *http, const struct auth_options *options, struct auth **out,
	     struct err *e);
/* NULL is fine. */
void auth_free(struct auth *a);

/*
 * @a was never used: supposes that it will meet the challenge that @other met, which is of
 * the same registry, and so saves the request that would be answered 401.
 */
void auth_suppose(struct auth *a, struct auth *other);

/*
 * What to send now: *out, which the caller gives to secret_free(), is NULL as long as no
 * challenge was met. May run a helper and fetch a token, until @until. -EACCES with a
 * sentence: the challenge cannot be met; -EIO: the token server cannot be had.
 */
int auth_get(struct auth *a, const struct auth_tls *tls, int64_t until, char **out,
	     struct err *e);
/*
 * A request that was sent with @used (from auth_get(), may be NULL) was answered 401
 * with @challenge. 0: ask auth_get() again; -ENOENT: there was no challenge in it; -ENOMEM.
 */
int auth_refused(struct auth *a, const char *used, const char *challenge);

#endif
