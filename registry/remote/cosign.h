/* SPDX-License-Identifier: MIT */
/*
 * What cosign keeps beside an image: signatures, attestations and SBOMs, each kind under a
 * tag that is made of the image's digest ("sha256-HEX.sig"). No specification has it, but it
 * is what most public images have.
 */
#ifndef REGISTRY_REMOTE_COSIGN_H
#define REGISTRY_REMOTE_COSIGN_H

#include "registry/remote/referrers.h"

/*
 * Tells of what is there as image_source_referrers(): one request a tag, and the store keeps the
 * manifest that it gave. A tag that is not there, or leads to something else, is no error.
 */
int cosign_referrers(struct remote *r, const struct referrers_query *q, struct err *e);

#endif
