/* SPDX-License-Identifier: MIT */
/*
 * Mentions: what refers to an image, as signatures, SBOMs and attestations do; registries
 * call them its referrers. Who asks for them first waits for the registry's list; it is
 * kept for ever, for nodes are made of it. Each is an image of the mount, loaded when it
 * is entered.
 *
 * All calls: any thread, the view pinned, unless they say something else.
 */
#ifndef FS_IMAGE_REFERRERS_H
#define FS_IMAGE_REFERRERS_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/image/lazy.h"
#include "registry/image/image.h"

struct view;
struct waiter;

struct referrer {
	struct descriptor descriptor;
	uint32_t type; /* in types */
	uint32_t view; /* atomic: its number among the images; 0: it has none yet */
};

/* An artifact type, as a name. */
struct referrer_type {
	char name[NAME_MAX + 1];
};

struct referrers {
	struct lazy lazy;
	struct referrer *list; /* while it is made, of who makes it; then it stays */
	struct referrer_type *types;
	size_t n_list;
	size_t n_types;
	uint32_t n;		/* atomic: of list, once all are known */
	uint32_t n_known_types; /* atomic: the same, of types */
};

void referrers_init(struct referrers *ms);
/* No call may be under way. */
void referrers_release(struct referrers *ms);

/* Makes the list known: 0, -EINTR, or why it cannot be had now. Errnos to be seen. */
int referrers_need(struct view *v, struct waiter *w);

/* None, as long as they are not known. The view need not be pinned. */
uint32_t referrers_count(const struct view *v);
uint32_t referrers_types(const struct view *v);
/* Numbers are from 0. */
const struct referrer *referrers_get(const struct view *v, uint32_t i);
const char *referrers_type(const struct view *v, uint32_t type);
/* Referrer @i as an image of the mount. */
int referrers_view(struct view *v, uint32_t i, struct view **out);

#endif
