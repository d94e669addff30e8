/* SPDX-License-Identifier: MIT */
/* What refers to a manifest (distribution-spec, "Listing Referrers"). */
#ifndef REGISTRY_REFERRERS_H
#define REGISTRY_REFERRERS_H

#include "registry/origin.h"

struct remote;

/*
 * By the API, or where there is none by the tag that stands in for it; as
 * origin_referrers(). Errors of remote_open(), -EBADMSG, -E2BIG.
 */
int referrers_list(struct remote *r, const struct digest *of, const char *type,
		   origin_referrer_fn *fn, void *arg, struct err *e);

#endif
