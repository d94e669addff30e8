/* SPDX-License-Identifier: MIT */
/*
 * One page of a registry's list of tags or of repositories: {"name": ..., "tags": [...]}
 * and {"repositories": [...]} (distribution-spec, "Content Discovery"). Foreign bytes, read
 * as a stream: a page may be as long as the registry likes.
 */
#ifndef REGISTRY_REMOTE_NAME_PAGE_H
#define REGISTRY_REMOTE_NAME_PAGE_H

#include <stddef.h>

#include "base/buf.h"

struct err;

/* A page longer than this is no page: a million names of 60 letters. */
#define NAME_PAGE_MAX (64u << 20)

enum name_page_kind { NAMES_TAGS, NAMES_REPOSITORIES };

struct name_page;

int name_page_new(enum name_page_kind kind, struct name_page **out);
/* NULL is fine. */
void name_page_free(struct name_page *n);
/*
 * The next bytes of the page. -EBADMSG with a sentence for what is no such page, -E2BIG for
 * one over the ceiling; then only name_page_free() may follow.
 */
int name_page_feed(struct name_page *n, const void *data, size_t len, struct err *e);
/*
 * No more bytes. *count names lie at the result, each ended by NUL, one behind another:
 * those of the list that can be one. *said is how many elements the list had. Borrowed.
 * NULL if the page is not whole, with a sentence.
 */
const char *name_page_finish(struct name_page *n, size_t *count, size_t *said,
			     struct err *e);

#endif
