/* SPDX-License-Identifier: MIT */
/*
 * The scopes of a policy that an image is in (containers-policy.json(5), "Supported
 * transports and their scopes"), and what an image is to a policy.
 */
#ifndef REGISTRY_TRUST_SCOPE_H
#define REGISTRY_TRUST_SCOPE_H

#include <stdbool.h>

struct err;
struct reference;

/* An image as a policy sees it. Borrowed texts. */
struct subject {
	const char
		*transport; /* "docker", "oci", "oci-archive", "docker-archive", "dir" */
	const struct reference *reference; /* of "docker"; else NULL */
	/* on disk: absolute, without links; NULL: unknown, only the transport's default fits */
	const char *path;
};

/* True ends the walk. */
typedef bool scope_fn(void *arg, const char *scope);

/*
 * Calls @fn with each scope that fits @s, the most specific one first, and "" for the
 * transport's default last. True if a call returned true.
 */
bool scope_walk(const struct subject *s, scope_fn *fn, void *arg);

/* -EBADMSG with a sentence if @scope can be no scope of @transport; "" always can. */
int scope_check(const char *transport, const char *scope, struct err *e);

#endif
