/* SPDX-License-Identifier: MIT */
/*
 * Whether an image may be shown: the gate that every resolved image passes. A policy
 * (policy.h) decides by where the image comes from, and a key of the user's may be required
 * beside it. What cannot be checked is refused.
 *
 * Read-only once made: any thread may call any function.
 */
#ifndef REGISTRY_TRUST_TRUST_H
#define REGISTRY_TRUST_TRUST_H

#include <stdbool.h>

#include "base/digest.h"

struct backend;
struct err;
struct image;
struct trust;

/*
 * @policy: the policy's file; NULL: the one that holds for this user, if any. @key: the file
 * of a key by which every image must be signed; NULL: none. Reads both, and of the policy's
 * keys none. -EACCES with a sentence: a file is missing or invalid; -ENOMEM.
 */
int trust_new(const char *policy, const char *key, struct trust **out, struct err *e);
/* Accepts NULL. */
void trust_free(struct trust *t);

/*
 * May @img, an image of @b, be shown? 0: yes. -EACCES with a sentence that names the file, the
 * scope and the reason: no. Other errors: its signatures could not be fetched.
 *
 * A policy asks for a signature of the manifest itself. The key is also content with one of
 * the index that led to the manifest.
 */
int trust_check_image(const struct trust *t, struct backend *b, const struct image *img,
		      struct err *e);

/* Must images of @b be signed? */
bool trust_needs_signature(const struct trust *t, const struct backend *b);
/*
 * May the artifact @d of the repository of @b be used for an image that passed? 0: its images
 * need no signature, or the artifact itself has what they need. Else as trust_check_image().
 */
int trust_check_artifact(const struct trust *t, struct backend *b, const struct digest *d,
			 struct err *e);

#endif
