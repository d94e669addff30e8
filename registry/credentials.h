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
 * In a file: credHelpers of the registry, credsStore, then auths, where the longest
 * key that begins the name wins (host/team/app, host/team, host).
 */
#ifndef REGISTRY_CREDENTIALS_H
#define REGISTRY_CREDENTIALS_H

#include <stddef.h>

struct err;

/* NULL members: not that way; all NULL: nobody. All secret. */
struct credential {
	char *user;
	char *password;
	char *identity_token; /* an OAuth2 refresh token */
	char *registry_token; /* a bearer token, ready */
};

/* Wipes and frees what it holds. */
void credential_release(struct credential *c);
/* Wipes and frees a text; NULL is fine. */
void secret_free(char *text);

/*
 * For the repository @path at @host ("docker.io", "localhost:5000"). @authfile may be
 * NULL. 0, with @out empty if nobody knows; -EACCES with a sentence if a file that
 * was named cannot be read, a file is no JSON, or a helper fails.
 */
int credentials_find(const char *authfile, const char *host, const char *path,
		     struct credential *out, struct err *e);

/* The same of one file's text, its helpers included. -ENOENT: it knows nothing. */
int credentials_in(const void *text, size_t len, const char *host, const char *path,
		   struct credential *out, struct err *e);

#endif
