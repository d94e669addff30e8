/* SPDX-License-Identifier: MIT */
/* Lists in pages: tags, repositories (distribution-spec, "Content Discovery"). */
#ifndef REGISTRY_REMOTE_PAGING_H
#define REGISTRY_REMOTE_PAGING_H

#include "registry/image/reference.h"
#include "registry/remote/name_page.h"

struct client;
struct remote;

/* The ceiling of one list; the largest known has some 100,000 names. */
#define PAGING_NAMES_MAX 1000000

/* Reports all pages of a list as image_source_tags(). Errors: as remote_open(); -E2BIG. */
int paging_names(struct remote *r, enum name_page_kind kind, name_fn *fn, void *arg,
		 struct err *e);

/* See image_source_catalog(). */
int paging_catalog(struct client *c, const char *host, name_fn *fn, void *arg,
		   struct err *e);

/*
 * The page that follows the page @what (a path below the repository, with its query) by its
 * Link field @link, which may be NULL. @next gets it, or "" if there is none. Only the link's
 * query is used, so that it cannot lead to another host or path, whatever a proxy did to the
 * rest. -EBADMSG: the link is not a URL, or leads to @what again.
 */
int paging_next(const char *what, const char *link, struct buf *next, struct err *e);

#endif
