/* SPDX-License-Identifier: MIT */
/*
 * Policies: which images may be used, and by whose keys they must be signed
 * (containers-policy.json(5)). A file with any unknown or duplicate member is invalid as a
 * whole. Read-only once made.
 */
#ifndef REGISTRY_TRUST_POLICY_H
#define REGISTRY_TRUST_POLICY_H

#include <stddef.h>

#include "registry/trust/requirement.h"

struct err;
struct subject;

/* The largest file that is read. */
#define POLICY_TEXT_MAX (1u << 20)

/* What must hold for the images in one scope: all of the list. */
struct policy_scope {
	char *transport; /* NULL: the default of the file */
	char *name;	 /* "": the default of the transport */
	struct requirement *list;
	size_t n;
};

struct policy {
	struct policy_scope *scopes;
	size_t n_scopes;
};

/* -EBADMSG with a sentence; -ENOMEM. */
int policy_parse(const void *data, size_t len, struct policy *out, struct err *e);
/* Accepts zeroed memory. */
void policy_release(struct policy *p);

/*
 * The scope that decides about @s: the most specific one that the file names. Never NULL:
 * policy_parse() accepts no file without a default.
 */
const struct policy_scope *policy_choose(const struct policy *p, const struct subject *s);

/*
 * The file that holds for this user: ~/.config/containers/policy.json, else
 * /etc/containers/policy.json. *out gets a new text, NULL if there is neither. -ENOMEM;
 * -ENAMETOOLONG.
 */
int policy_find_file(char **out);

#endif
