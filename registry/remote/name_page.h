/* SPDX-License-Identifier: MIT */
/*
 * Parser of one page of a registry's list of tags, {"name": ..., "tags": [...]}, or of
 * repositories, {"repositories": [...]} (distribution-spec, "Content Discovery"). It
 * works on a stream of foreign bytes, because a page may have any length.
 */
#ifndef REGISTRY_REMOTE_NAME_PAGE_H
#define REGISTRY_REMOTE_NAME_PAGE_H

#include <stddef.h>

#include "base/buf.h"

struct err;

/* The ceiling of a page: a million names of 60 letters. */
#define NAME_PAGE_MAX (64u << 20)

enum name_page_kind { NAMES_TAGS, NAMES_REPOSITORIES };

struct name_page;

/* -ENOMEM. */
int name_page_new(enum name_page_kind kind, struct name_page **out);
/* Accepts NULL. */
void name_page_free(struct name_page *n);
/*
 * Parses the next bytes of the page. -EBADMSG: malformed; -E2BIG: over NAME_PAGE_MAX; after an
 * error only name_page_free() may be called.
 */
int name_page_feed(struct name_page *n, const void *data, size_t len, struct err *e);
/*
 * Ends the page. Returns the valid names of the list, one after another, each ended by NUL,
 * and their number in *count; borrowed. *said is the number of elements that the list had.
 * NULL with a sentence: the page is incomplete or has no list.
 */
const char *name_page_finish(struct name_page *n, size_t *count, size_t *said,
			     struct err *e);

#endif
