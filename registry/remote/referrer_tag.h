/* SPDX-License-Identifier: MIT */
/*
 * The list of referrers that clients maintain under a tag where a registry lacks the API
 * (distribution-spec, "Referrers Tag Schema").
 */
#ifndef REGISTRY_REMOTE_REFERRER_TAG_H
#define REGISTRY_REMOTE_REFERRER_TAG_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct buf;
struct err;
struct remote;

/* What an image index says of a referrer. Borrowed. */
struct referrer_entry {
	struct digest digest;
	uint64_t size;
	const char *media_type;
	const char *artifact_type;
	const char *key, *value; /* an annotation of the referrer */
};

#define REFERRER_TAG_MAX (DIGEST_TEXT_MAX + 8)

/* The tag of the list: "sha256-HEX". Returns @out, of REFERRER_TAG_MAX bytes. */
const char *referrer_tag_name(const struct digest *subject, char *out);

/*
 * Appends to @out the index @old (NULL: there is none yet) with the entry added; all else
 * stays as it is. 1: added; 0: @old lists it already, and @out is empty; -EBADMSG: @old is not
 * an image index; -E2BIG, -ENOMEM.
 */
int referrer_tag_merge(const void *old, size_t len, const struct referrer_entry *entry,
		       struct buf *out, struct err *e);

/*
 * Adds an entry to the list of @subject in the repository. What others write at the same time
 * is kept: the list is read again after each write, and merged until it has all. @r is of
 * remote_new_writer(). 1: written; 0: it was there. -EBADMSG: the tag names something else than
 * a list, which is left alone. Other errors: upload.h.
 */
int referrer_tag_add(struct remote *r, const struct digest *subject,
		     const struct referrer_entry *entry, struct err *e);

#endif
