/* SPDX-License-Identifier: MIT */
/* The referrers of a manifest (distribution-spec, "Listing Referrers"). */
#ifndef REGISTRY_REMOTE_REFERRERS_H
#define REGISTRY_REMOTE_REFERRERS_H

#include <stdbool.h>

#include "registry/image/descriptor.h"

struct remote;

struct referrers_query {
	const struct digest *of;
	const char *type; /* NULL: any */
	bool is_extra;	  /* not essential: take a few seconds at most */
	descriptor_fn *fn;
	void *arg;
};

/* Like image_source_referrers(), by the API. -ENOSYS: the registry does not have it. */
int referrers_by_api(struct remote *r, const struct referrers_query *q, struct err *e);
/* The same by the tag that clients maintain where there is no API. */
int referrers_by_tag(struct remote *r, const struct referrers_query *q, struct err *e);

#endif
