/* SPDX-License-Identifier: MIT */
/*
 * Expanding names without a host ("nginx:1.27") by registries.conf: by an alias, else with the
 * hosts of unqualified-search-registries in order, else with docker.io, as Docker does.
 */
#ifndef REGISTRY_CONFIG_SHORT_NAME_H
#define REGISTRY_CONFIG_SHORT_NAME_H

#include <stddef.h>

struct err;
struct registries;

/* Full references, in the order to try; at least one. */
struct candidates {
	char **list;
	size_t n;
};

/*
 * A name with a host is the only candidate. -EINVAL with a sentence if there are several hosts to
 * try and short-name-mode is "enforcing".
 */
int short_name_expand(const struct registries *r, const char *text,
		      struct candidates *out, struct err *e);
void candidates_release(struct candidates *c);

#endif
