/* SPDX-License-Identifier: MIT */
/*
 * The referrers of an image: signatures, SBOMs, attestations (distribution-spec, "Listing
 * Referrers"). The list is fetched once and stays, because node ids encode positions in it.
 *
 * All calls but init, release and fetch: any thread.
 */
#ifndef FS_IMAGE_REFERRERS_H
#define FS_IMAGE_REFERRERS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/image/lazy.h"
#include "registry/image/image.h"

struct err;
struct image;
struct image_source;
struct log;

struct referrer {
	struct descriptor descriptor;
	uint32_t type; /* in types */
	uint32_t view; /* atomic: its number among the images; 0: it has none yet */
};

/* An artifact type, as a file name. */
struct referrer_type {
	char name[NAME_MAX + 1];
};

struct referrers {
	struct lazy lazy; /* present once the list is known; never freed when idle */
	struct referrer *list;
	struct referrer_type *types;
	size_t n_list;
	size_t n_types;
	uint32_t n;		/* atomic: of list, once it is complete; else 0 */
	uint32_t n_known_types; /* atomic: the same of types */
};

void referrers_init(struct referrers *rs);
/* No call may be under way. */
void referrers_release(struct referrers *rs);

/*
 * Asks @source for the referrers of @img and, with @of_index, for those of its index: an
 * image for several platforms is signed by its index. One thread, once.
 */
int referrers_fetch(struct referrers *rs, struct image_source *source,
		    const struct image *img, bool of_index, struct log *log,
		    struct err *e);

/* How many of the list and of types are known. */
uint32_t referrers_count(const struct referrers *rs);
uint32_t referrers_types(const struct referrers *rs);

#endif
