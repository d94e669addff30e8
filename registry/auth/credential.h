/* SPDX-License-Identifier: MIT */
/* What proves to a registry who we are. */
#ifndef REGISTRY_AUTH_CREDENTIAL_H
#define REGISTRY_AUTH_CREDENTIAL_H

#include <stdbool.h>

/*
 * All members are secret but the last. NULL: none of this kind. All NULL: no credential,
 * anonymous.
 */
struct credential {
	char *user;
	char *password;
	char *identity_token; /* an OAuth2 refresh token */
	char *registry_token; /* a ready bearer token */
	char *origin;	      /* for messages: a file, a helper; NULL: not known */
};

/* Whether it proves nothing: a user or a password alone does not. */
bool credential_is_empty(const struct credential *c);
/* Whatever their origin. */
bool credential_equal(const struct credential *a, const struct credential *b);
/* 0 or -ENOMEM. */
int credential_copy(const struct credential *c, struct credential *out);
/* Overwrites and frees the members. */
void credential_release(struct credential *c);

#endif
