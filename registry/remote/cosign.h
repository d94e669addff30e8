/* SPDX-License-Identifier: MIT */
/*
 * Signatures, attestations and SBOMs that cosign keeps beside an image, each kind under a tag
 * made of the image's digest ("sha256-HEX.sig"). This is not in a specification, but most
 * signed public images use it.
 */
#ifndef REGISTRY_REMOTE_COSIGN_H
#define REGISTRY_REMOTE_COSIGN_H

#include "registry/remote/referrers.h"

/*
 * Reports what is there as image_source_referrers(). One request per tag; the store keeps the
 * manifests. A tag that is missing or names something else is not an error.
 */
int cosign_referrers(struct remote *r, const struct referrers_query *q, struct err *e);

#endif
