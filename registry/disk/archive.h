/* SPDX-License-Identifier: MIT */
/*
 * A tar archive that holds an image (oci-archive, docker-archive), read in place: where
 * each member's bytes lie. Not compressed; only what such archives use of tar.
 */
#ifndef REGISTRY_DISK_ARCHIVE_H
#define REGISTRY_DISK_ARCHIVE_H

#include <stddef.h>

struct err;
struct source;

struct archive;

/* Takes a reference of its own. -ENOTSUP for a compressed archive, -EBADMSG for no tar. */
int archive_new(struct source *file, struct archive **out, struct err *e);
/* The same of a file. Errors: those of open() too. */
int archive_open(const char *path, struct archive **out, struct err *e);
/* NULL is fine. */
void archive_free(struct archive *a);

/*
 * The bytes of a member, by its name without a "./" in front. Links are followed
 * inside the archive. -ENOENT.
 */
int archive_member(struct archive *a, const char *name, struct source **out,
		   struct err *e);

#endif
