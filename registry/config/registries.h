/* SPDX-License-Identifier: MIT */
/*
 * registries.conf, as podman, skopeo and buildah have it (containers-registries.conf(5),
 * version 2): where a name is really to be had.
 *
 * Read: $CONTAINERS_REGISTRIES_CONF alone, if set; else the user's
 * ~/.config/containers/registries.conf if there is one, with the user's drop-ins
 * (registries.conf.d/ beside it); else /etc/containers/registries.conf with its drop-ins
 * and then the user's.
 */
#ifndef REGISTRY_CONFIG_REGISTRIES_H
#define REGISTRY_CONFIG_REGISTRIES_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* In credential-helpers, stands for the files (credentials.h); others are programs. */
#define CREDENTIALS_IN_FILES "containers-auth.json"

enum pull_from { PULL_ALL, PULL_BY_DIGEST, PULL_BY_TAG };

struct mirror {
	char *location;
	bool insecure;
	enum pull_from from;
};

struct registry {
	char *prefix;	/* "host/ns" or "*.host"; NULL: location */
	char *location; /* NULL: as the prefix */
	bool insecure, blocked, mirror_by_digest_only;
	struct mirror *mirrors;
	size_t n_mirrors;
};

struct alias {
	char *name;  /* short */
	char *value; /* "host/ns/name"; "" takes an earlier alias back */
};

struct registries {
	struct registry *list;
	size_t n;
	struct alias *aliases;
	size_t n_aliases;
	char **search; /* hosts that short names are looked for in */
	size_t n_search;
	/* short-name-mode: of several hosts none is to be guessed */
	bool is_enforcing;
	/* where credentials are looked for, in order; none: CREDENTIALS_IN_FILES alone */
	char **helpers;
	size_t n_helpers;
};

/* What the files say. A missing file says nothing. -EINVAL with a sentence for a bad one. */
int registries_load(struct registries *out, struct err *e);
void registries_release(struct registries *r);
/* One file's text, laid over what @r has. */
int registries_parse(struct registries *r, const char *text, size_t len, struct err *e);

/* The registry for "host/path", by the longest prefix; NULL if there is none. */
const struct registry *registries_match(const struct registries *r, const char *name);
/*
 * @name with its matched prefix replaced by @location, in a new text. NULL for no
 * memory. @location may be NULL: as it is.
 */
char *registries_rewrite(const struct registry *g, const char *name,
			 const char *location);
/* What a short name stands for, or NULL. Borrowed. */
const char *registries_alias(const struct registries *r, const char *name);

#endif
