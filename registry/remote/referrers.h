/* SPDX-License-Identifier: MIT */
/* What refers to a manifest (distribution-spec, "Listing Referrers"). */
#ifndef REGISTRY_REMOTE_REFERRERS_H
#define REGISTRY_REMOTE_REFERRERS_H

#include <stdbool.h>

#include "registry/image/descriptor.h"

struct remote;

struct referrers_query {
	const struct digest *of;
	const char *type; /* NULL: any */
	bool is_extra;	  /* asked for a few seconds only */
	descriptor_fn *fn;
	void *arg;
};

/* As image_source_referrers(), by the API. -ENOSYS: the registry has none. */
int referrers_by_api(struct remote *r, const struct referrers_query *q, struct err *e);
/* By the tag that clients keep where there is no API. */
int referrers_by_tag(struct remote *r, const struct referrers_query *q, struct err *e);

#endif
