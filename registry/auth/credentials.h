/* SPDX-License-Identifier: MIT */
/*
 * Who we are at a registry, from where docker login, podman login and their helpers
 * keep it (docker config.json, containers-auth.json(5)).
 *
 * Asked in this order, and the first that knows the registry wins:
 *	-o authfile=, or else $REGISTRY_AUTH_FILE: then only that file
 *	$DOCKER_AUTH_CONFIG, which holds such a file's text
 *	$XDG_RUNTIME_DIR/containers/auth.json, or /run/containers/UID/auth.json
 *	$XDG_CONFIG_HOME/containers/auth.json, or ~/.config/containers/auth.json
 *	$DOCKER_CONFIG/config.json, or ~/.docker/config.json
 *	~/.dockercfg
 * registries.conf's credential-helpers may name programs to ask before or after these.
 * In a file: credHelpers of the registry, credsStore, then auths, where the longest
 * key that begins the name wins (host/team/app, host/team, host).
 */
#ifndef REGISTRY_AUTH_CREDENTIALS_H
#define REGISTRY_AUTH_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct keychain;

/* NULL members: not that way; all NULL: nobody. All secret. */
struct credential {
	char *user;
	char *password;
	char *identity_token; /* an OAuth2 refresh token */
	char *registry_token; /* a bearer token, ready */
};

/* Does it say nothing? */
bool credential_is_empty(const struct credential *c);
/* 0 or -ENOMEM. */
int credential_copy(const struct credential *c, struct credential *out);
/* Wipes and frees what it holds. */
void credential_release(struct credential *c);

/* Who for, and where to look; all borrowed. */
struct credential_query {
	const char *host;     /* "docker.io", "localhost:5000" */
	const char *path;     /* of the repository */
	const char *authfile; /* may be NULL */
	/* in place of the usual places alone: see registries.h; may be none */
	char *const *helpers;
	size_t n_helpers;
	struct keychain *keychain; /* that asks the helpers */
	bool anew;		   /* helpers are asked again */
};

/*
 * 0, with @out empty if nobody knows; -EACCES with a sentence if a file that was named
 * cannot be read, a file is no JSON, or a helper fails.
 */
int credentials_find(const struct credential_query *q, struct credential *out,
		     struct err *e);

/* The same of one file's text, its helpers included. -ENOENT: it knows nothing. */
int credentials_in(const struct credential_query *q, const void *text, size_t len,
		   struct credential *out, struct err *e);

#endif
