/* SPDX-License-Identifier: MIT */
/* The referrers of a manifest (distribution-spec, "Listing Referrers"). */
#ifndef REGISTRY_REMOTE_REFERRERS_H
#define REGISTRY_REMOTE_REFERRERS_H

#include "registry/image/backend.h"

struct remote;

/* Like image_source_referrers(), by the API. -ENOSYS: the registry does not have it. */
int referrers_by_api(struct remote *r, const struct referrers_query *q, struct err *e);
/* The same by the tag that clients maintain where there is no API. */
int referrers_by_tag(struct remote *r, const struct referrers_query *q, struct err *e);
/*
 * Both at the same time, for a registry that may have the API or not: a round trip less. What
 * the tag lists is reported first. 0: by the API; -ENOSYS: there is no API, and what the tag
 * lists was reported; -EAGAIN: ask for one after the other.
 */
int referrers_at_once(struct remote *r, const struct referrers_query *q, struct err *e);
/*
 * The same for cosign's tags. One request per tag; the store keeps the manifests. A tag that is
 * missing or names something else is not an error.
 */
int referrers_by_cosign(struct remote *r, const struct referrers_query *q, struct err *e);
/* The same for cosign's tag for signatures alone. */
int referrers_of_cosign_signatures(struct remote *r, const struct referrers_query *q,
				   struct err *e);

#endif
