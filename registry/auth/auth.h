/* SPDX-License-Identifier: MIT */
/*
 * The right to read, or to read and write, one repository of one registry: the Authorization
 * field of requests (distribution's token specification, RFC 7617).
 *
 * The registry's challenge says what it wants. A Bearer token is fetched from the realm
 * in the challenge, with our credential or anonymously, kept for its life, and renewed
 * a little before that ends. The credential is looked up when the first challenge
 * arrives, and again when it is refused. If several threads need a token at once, one
 * fetches it and the others wait.
 */
#ifndef REGISTRY_AUTH_AUTH_H
#define REGISTRY_AUTH_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct auth;
struct auth_tls; /* token.h */
struct err;
struct http;
struct keychain;

/* Texts are copied. */
struct auth_options {
	const char *base;	   /* the registry's "https://host" */
	const char *repository;	   /* its path; "" for the catalog of the registry */
	bool push;		   /* to write, too */
	const char *host;	   /* whose credential is used: "docker.io" */
	const char *authfile;	   /* see credentials.h; may be NULL */
	struct keychain *keychain; /* borrowed for the life of the auth */
	char *const *helpers;	   /* borrowed likewise; see credentials.h */
	size_t n_helpers;
};

int auth_new(struct http *http, const struct auth_options *options, struct auth **out,
	     struct err *e);
/* NULL is fine. */
void auth_free(struct auth *a);

/*
 * Assumes for @a, which was not used yet, the challenge that @other got from the same
 * registry. That saves a request which would be answered 401.
 */
void auth_suppose(struct auth *a, struct auth *other);

/*
 * The value to send now, for secret_free(); NULL as long as there was no challenge. May
 * run a helper and fetch a token, until @until. -EACCES with a sentence: the challenge
 * cannot be met; -EIO: the token server cannot be reached.
 */
int auth_get(struct auth *a, const struct auth_tls *tls, int64_t until, char **out,
	     struct err *e);
/*
 * Reports that a request with @used (from auth_get(), may be NULL) was answered 401 with
 * @challenge. 0: call auth_get() again; -ENOENT: that is no challenge; -E2BIG: it
 * is too long; -ENOMEM.
 */
int auth_refused(struct auth *a, const char *used, const char *challenge);
/* Reports that a request with @used was answered. */
void auth_accepted(struct auth *a, const char *used);
/*
 * Reports that a request with @used was refused without a word about the right to make it.
 * True: @used was accepted before and has perhaps expired; auth_get() makes another value.
 */
bool auth_renew(struct auth *a, const char *used);

#endif
