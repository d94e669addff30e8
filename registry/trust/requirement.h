/* SPDX-License-Identifier: MIT */
/*
 * One requirement of a policy (containers-policy.json(5), "Policy Requirements"). Read-only
 * once made.
 */
#ifndef REGISTRY_TRUST_REQUIREMENT_H
#define REGISTRY_TRUST_REQUIREMENT_H

#include <stddef.h>

#include "registry/trust/identity.h"

struct err;
struct json;
struct public_key;

enum requirement_kind {
	REQUIREMENT_REJECT, /* zeroed memory accepts nothing */
	REQUIREMENT_ACCEPT,
	REQUIREMENT_SIGNED,
	REQUIREMENT_UNSUPPORTED, /* valid, but of a kind that peelfs cannot check */
};

/* A ceiling: people have a few keys. */
#define REQUIREMENT_KEYS_MAX 64

struct requirement_key {
	char *path; /* absolute; NULL: the key is in @text */
	char *text; /* PEM */
	size_t len;
};

struct requirement {
	enum requirement_kind kind;
	const char *unsupported; /* a static text: "signedBy", "fulcio", ... */
	/* of REQUIREMENT_SIGNED: a signature by one of these keys is enough */
	struct requirement_key *keys;
	size_t n_keys;
	struct identity identity;
};

/*
 * Parses a member of a list of requirements. Files of keys are not read yet; a relative path
 * is taken from the current directory. -EBADMSG with a sentence; -ENOMEM.
 */
int requirement_parse(const struct json *j, struct requirement *out, struct err *e);
/* Accepts zeroed memory. */
void requirement_release(struct requirement *r);

/*
 * Reads the keys to a new array @out of n_keys entries; requirement_free_keys() frees it.
 * One key that cannot be read is an error even if the others can, with a sentence.
 */
int requirement_load_keys(const struct requirement *r, struct public_key ***out,
			  struct err *e);
/* Accepts NULL. */
void requirement_free_keys(const struct requirement *r, struct public_key **keys);
/* Adds the key in the file @path. -ENOMEM; -ENAMETOOLONG. */
int requirement_add_file(struct requirement *r, const char *path);

#endif
