/* SPDX-License-Identifier: MIT */
/*
 * A tar archive that holds an image (oci-archive, docker-archive): random access to its
 * members by name, in place, so the archive must not be compressed. Read-only once made; any
 * thread may call archive_member().
 */
#ifndef REGISTRY_DISK_ARCHIVE_H
#define REGISTRY_DISK_ARCHIVE_H

struct err;
struct source;

struct archive;

/*
 * Scans the archive in @file, which gets another reference. -ENOTSUP: it is compressed;
 * -EBADMSG: not a tar archive, or damaged; -E2BIG: too many members. An empty file is an
 * archive without members.
 */
int archive_new(struct source *file, struct archive **out, struct err *e);
/* The same for the file at @path. Errors: those of open() as well. */
int archive_open(const char *path, struct archive **out, struct err *e);
/* Accepts NULL. Sources of members stay valid. */
void archive_free(struct archive *a);

/*
 * The bytes of the regular file @name, with or without "./" in front; the last one if there
 * are several. Links are followed inside the archive. -ENOENT: no such file, or too many links.
 * -ENOTSUP: a sparse file.
 */
int archive_member(struct archive *a, const char *name, struct source **out,
		   struct err *e);

#endif
