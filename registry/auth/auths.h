/* SPDX-License-Identifier: MIT */
/*
 * The authorizations of all repositories in use, so that whoever opens one again, or
 * twice, has its token already. A few that nobody uses are kept.
 */
#ifndef REGISTRY_AUTH_AUTHS_H
#define REGISTRY_AUTH_AUTHS_H

#include "registry/auth/auth.h"

struct err;
struct hosts;
struct http;

struct auths;

/*
 * @http and @hosts are borrowed; @authfile (see credentials.h) may be NULL: -EACCES with a
 * sentence if it cannot be read.
 */
int auths_new(struct http *http, struct hosts *hosts, const char *authfile,
	      struct auths **out, struct err *e);
/* All that were lent must be back. NULL is fine. */
void auths_free(struct auths *as);

/* One that is lent. All but @auth is for auths.c. */
struct lease {
	struct auth *auth;
	struct lease *next; /* in its bucket */
	char *base, *repository, *host;
	unsigned users;
};

/* That of a repository at @base, as auth.h describes them; to be given back. */
int auths_get(struct auths *as, const char *base, const char *repository,
	      const char *host, struct lease **out, struct err *e);
/* NULL is fine. */
void auths_put(struct auths *as, struct lease *l);

#endif
