/* SPDX-License-Identifier: MIT */
/* Whether a manifest meets a list of requirements: the cryptography behind trust.h. */
#ifndef REGISTRY_TRUST_CHECK_H
#define REGISTRY_TRUST_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "registry/image/backend.h"
#include "registry/trust/requirement.h"

struct err;

/* A manifest that is to be used. Borrowed. */
struct checked {
	struct backend *backend;
	const struct reference *reference; /* as which it is used; NULL on disk */
	const struct digest *digest;
	/*
	 * whether a signature counts without an identity, as in cosign's bundles, and with any
	 * if the image has none
	 */
	bool needs_no_identity;
};

/* Does one of the @n requirements ask for a signature? */
bool check_needs_signature(const struct requirement *list, size_t n);
/*
 * Does @c meet all of @list, which is not empty? 0: yes. -EACCES with the reason: no. -EIO and
 * others: the signatures could not be fetched; -ENOMEM.
 */
int check_all(const struct checked *c, const struct requirement *list, size_t n,
	      struct err *e);

#endif
