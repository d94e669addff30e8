/* SPDX-License-Identifier: MIT */
/*
 * Which identity a signature must claim: "signedIdentity" of a policy's requirement
 * (containers-policy.json(5), "signedBy"). Plain data, read-only once made.
 */
#ifndef REGISTRY_TRUST_IDENTITY_H
#define REGISTRY_TRUST_IDENTITY_H

#include <stdbool.h>

#include "registry/image/reference.h"

struct err;
struct json;

enum identity_kind {
	IDENTITY_REPO_DIGEST_OR_EXACT, /* the default */
	IDENTITY_EXACT,
	IDENTITY_REPOSITORY,
	IDENTITY_THIS_REFERENCE,
	IDENTITY_THIS_REPOSITORY,
	IDENTITY_REMAPPED,
};

struct identity {
	enum identity_kind kind;
	struct reference this; /* of the two kinds with that name */
	char prefix[REFERENCE_TEXT_MAX];
	char signed_prefix[REFERENCE_TEXT_MAX];
};

/* @j is the value of "signedIdentity"; NULL: it is missing. -EBADMSG with a sentence. */
int identity_parse(const struct json *j, struct identity *out, struct err *e);
/*
 * Does a signature that claims to be of @claimed fit the image @wanted? @wanted is NULL if
 * the image has no reference, as on disk.
 */
bool identity_matches(const struct identity *id, const struct reference *wanted,
		      const char *claimed);

#endif
