/* SPDX-License-Identifier: MIT */
/*
 * The authorizations of all repositories in use, so that a repository which is opened
 * again has its token already. Some that are no longer used are kept, too.
 */
#ifndef REGISTRY_AUTH_AUTHS_H
#define REGISTRY_AUTH_AUTHS_H

#include "registry/auth/auth.h"

struct auths;
struct err;
struct hosts;
struct http;

/*
 * @http and @hosts are borrowed. @authfile (see credentials.h) may be NULL; -EACCES
 * with a sentence if it cannot be read.
 */
int auths_new(struct http *http, struct hosts *hosts, const char *authfile,
	      struct auths **out, struct err *e);
/* All leases must have been returned. NULL is fine. */
void auths_free(struct auths *as);

/* An authorization that is lent. Only @auth is for its user. */
struct lease {
	struct auth *auth;
	struct lease *next; /* in its bucket */
	char *base, *repository, *host;
	bool push;
	unsigned users;
};

/*
 * Lends that of a repository at @base (see auth.h); @push: to write, too. To be returned by
 * auths_put().
 */
int auths_get(struct auths *as, const char *base, const char *repository,
	      const char *host, bool push, struct lease **out, struct err *e);
/* NULL is fine. */
void auths_put(struct auths *as, struct lease *l);

#endif
