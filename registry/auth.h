/* SPDX-License-Identifier: MIT */
/*
 * The right to read one repository at one registry: what the Authorization field of a
 * request has to say (distribution's token specification, RFC 7617).
 *
 * The registry's challenge teaches what it wants. A Bearer token is then got from the
 * realm that it names, with our credentials or as nobody, kept for its life, and
 * renewed a little before that ends. Many threads may ask at once: one fetches, the
 * others wait for it.
 */
#ifndef REGISTRY_AUTH_H
#define REGISTRY_AUTH_H

#include <stdint.h>

#include "registry/http.h"

struct err;

struct auth;

/* Who we are at a registry. NULL members: not that way; all NULL: nobody. All secret. */
struct credential {
	char *user;
	char *password;
	char *identity_token; /* an OAuth2 refresh token */
	char *registry_token; /* a bearer token, ready */
};

/* Wipes and frees what it holds. */
void credential_release(struct credential *c);

/*
 * @base is the registry's "https://host", @repository the path read there. @tls is
 * borrowed for life and used for a realm on the same host; @elsewhere (may be NULL)
 * for one on another. Takes what @cred holds (may be NULL), also when it fails.
 */
int auth_new(struct http *http, const char *base, const char *repository,
	     const struct http_tls *tls, const struct http_tls *elsewhere,
	     struct credential *cred, struct auth **out, struct err *e);
/* NULL is fine. */
void auth_free(struct auth *a);

/*
 * What to send now: *out, which the caller wipes and frees, is NULL as long as no
 * challenge was met. May fetch a token, until @until.
 */
int auth_get(struct auth *a, int64_t until, char **out, struct err *e);
/*
 * A request that was sent with @used (from auth_get(), may be NULL) was answered 401
 * with @challenge. 0: ask auth_get() again; -EACCES with a sentence: no use;
 * -ENOENT: there was no challenge in it.
 */
int auth_refused(struct auth *a, const char *used, const char *challenge, struct err *e);

/* Wipes and frees a text; NULL is fine. */
void secret_free(char *text);

#endif
