/* SPDX-License-Identifier: MIT */
/*
 * JSON objects that decide about trust: an unknown, missing or duplicate member makes the
 * whole document invalid, because a misspelt one must not be ignored
 * (containers-policy.json(5), "FORMAT").
 */
#ifndef REGISTRY_TRUST_STRICT_H
#define REGISTRY_TRUST_STRICT_H

#include <stddef.h>

struct err;
struct json;

/* More than any such object has; the test for duplicates takes the square of it. */
#define STRICT_MEMBERS_MAX 4096

/* -EBADMSG with a sentence unless @j is an object and no two of its keys are equal. */
int strict_object(const struct json *j, const char *what, struct err *e);
/*
 * The same, and all its members are among @keys, which ends with a NULL. The first
 * @n_required of @keys must be there.
 */
int strict_members(const struct json *j, const char *what, const char *const *keys,
		   size_t n_required, struct err *e);
/* The text of a member that is a string and not empty; else -EBADMSG with a sentence. */
int strict_text(const struct json *j, const char *key, const char **out, struct err *e);

#endif
