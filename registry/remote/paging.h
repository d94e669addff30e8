/* SPDX-License-Identifier: MIT */
/* Lists that come in pages: tags, repositories (distribution-spec, "Content Discovery"). */
#ifndef REGISTRY_REMOTE_PAGING_H
#define REGISTRY_REMOTE_PAGING_H

#include "registry/image/reference.h"
#include "registry/remote/name_page.h"

struct client;
struct remote;

/* The ceiling of one list; the largest known has some 100,000 names. */
#define PAGING_NAMES_MAX 1000000

/* All pages of @kind: as image_source_tags(). Errors of remote_open() as they are. */
int paging_names(struct remote *r, enum name_page_kind kind, name_fn *fn, void *arg,
		 struct err *e);

/* See image_source_catalog(). */
int paging_catalog(struct client *c, const char *host, name_fn *fn, void *arg,
		   struct err *e);

/*
 * What follows the page @what (below the repository, with its query), as its Link field
 * @link (may be NULL) says, in @next: "" if nothing follows. The link is taken for its
 * query alone, so that it never leads to another host or path, whatever a proxy makes
 * of its head. -EBADMSG with a sentence for one that cannot be asked, or is @what.
 */
int paging_next(const char *what, const char *link, struct buf *next, struct err *e);

#endif
