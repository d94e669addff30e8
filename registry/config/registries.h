/* SPDX-License-Identifier: MIT */
/*
 * registries.conf of podman, skopeo and buildah (containers-registries.conf(5), version 2):
 * mirrors, other locations of a name, aliases.
 *
 * If $CONTAINERS_REGISTRIES_CONF is set, only that file is read. Otherwise
 * ~/.config/containers/registries.conf if it exists, with the user's drop-ins
 * (registries.conf.d/ beside it); otherwise /etc/containers/registries.conf with its
 * drop-ins, followed by the user's.
 */
#ifndef REGISTRY_CONFIG_REGISTRIES_H
#define REGISTRY_CONFIG_REGISTRIES_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* In credential-helpers: the files (credentials.h). All other values are programs. */
#define CREDENTIALS_IN_FILES "containers-auth.json"

enum pull_from { PULL_ALL, PULL_BY_DIGEST, PULL_BY_TAG };

struct mirror {
	char *location;
	bool insecure;
	enum pull_from from;
};

struct registry {
	char *prefix;	/* "host/ns" or "*.host"; NULL: location */
	char *location; /* NULL: the prefix */
	bool insecure, blocked, mirror_by_digest_only;
	struct mirror *mirrors;
	size_t n_mirrors;
};

struct alias {
	char *name;  /* short */
	char *value; /* "host/ns/name"; "" revokes an earlier alias */
};

struct registries {
	struct registry *list;
	size_t n;
	struct alias *aliases;
	size_t n_aliases;
	char **search; /* hosts to try for short names */
	size_t n_search;
	/* short-name-mode: an error if there are several hosts to try */
	bool is_enforcing;
	/* where to look up credentials, in order; none: CREDENTIALS_IN_FILES alone */
	char **helpers;
	size_t n_helpers;
};

/* Loads the files; missing ones are skipped. -EINVAL with a sentence for a bad one. */
int registries_load(struct registries *out, struct err *e);
void registries_release(struct registries *r);
/* Parses the text of a file, which overrides what @r already has. */
int registries_parse(struct registries *r, const char *text, size_t len, struct err *e);

/* The registry with the longest prefix that matches "host/path", or NULL. */
const struct registry *registries_match(const struct registries *r, const char *name);
/*
 * A new text: @name with the prefix that matched replaced by @location, or unchanged if that
 * is NULL. NULL: out of memory.
 */
char *registries_rewrite(const struct registry *g, const char *name,
			 const char *location);
/* The value of the alias @name, or NULL. Borrowed. */
const char *registries_alias(const struct registries *r, const char *name);

#endif
