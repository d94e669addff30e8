/* SPDX-License-Identifier: MIT */
/*
 * Looking up the credential for a registry where docker login, podman login and their
 * helpers store it (docker config.json, containers-auth.json(5)).
 *
 * These places are asked in order, and the first one that knows the registry wins:
 *	-o authfile=, or else $REGISTRY_AUTH_FILE: then no other place
 *	$DOCKER_AUTH_CONFIG, which contains the text of such a file
 *	$XDG_RUNTIME_DIR/containers/auth.json, or /run/containers/UID/auth.json
 *	$XDG_CONFIG_HOME/containers/auth.json, or ~/.config/containers/auth.json
 *	$DOCKER_CONFIG/config.json, or ~/.docker/config.json
 *	~/.dockercfg
 * credential-helpers in registries.conf may name programs to ask before or after these
 * files. In a file: the registry's entry in credHelpers, then credsStore, then auths,
 * where the longest key that is a prefix of the name wins (host/team/app, host/team,
 * host).
 */
#ifndef REGISTRY_AUTH_CREDENTIALS_H
#define REGISTRY_AUTH_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#include "registry/auth/credential.h"

struct err;
struct keychain;

/* What to look for, and where; all borrowed. */
struct credential_query {
	const char *host;     /* "docker.io", "localhost:5000" */
	const char *path;     /* of the repository */
	const char *authfile; /* may be NULL */
	/* from registries.conf, to ask instead of the files alone; may be none */
	char *const *helpers;
	size_t n_helpers;
	struct keychain *keychain; /* runs the helpers */
	bool anew;		   /* run helpers again that have answered before */
};

/*
 * 0, with @out empty if no place knows the registry; -EACCES with a sentence if a file
 * that was named cannot be read, a file is not JSON, or a helper fails.
 */
int credentials_find(const struct credential_query *q, struct credential *out,
		     struct err *e);

/*
 * The same for the text of one file, and its helpers. -ENOENT: it does not know the
 * registry.
 */
int credentials_in(const struct credential_query *q, const void *text, size_t len,
		   struct credential *out, struct err *e);

#endif
