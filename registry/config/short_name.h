/* SPDX-License-Identifier: MIT */
/*
 * Names without a host ("nginx:1.27"): what registries.conf makes of them. An alias
 * decides; else the hosts of unqualified-search-registries are tried in order; else it
 * is docker.io, as Docker has it.
 */
#ifndef REGISTRY_CONFIG_SHORT_NAME_H
#define REGISTRY_CONFIG_SHORT_NAME_H

#include <stddef.h>

struct err;
struct registries;

/* References in full, in the order to try; at least one. */
struct candidates {
	char **list;
	size_t n;
};

/*
 * A name with a host is its own only candidate. -EINVAL with a sentence: there are several,
 * and short-name-mode says that none is to be guessed.
 */
int short_name_expand(const struct registries *r, const char *text,
		      struct candidates *out, struct err *e);
void candidates_release(struct candidates *c);

#endif
