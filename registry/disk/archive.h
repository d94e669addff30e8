/* SPDX-License-Identifier: MIT */
/*
 * A tar archive that holds an image (oci-archive, docker-archive): random access to its
 * members by name, in place. Any thread may call archive_member().
 */
#ifndef REGISTRY_DISK_ARCHIVE_H
#define REGISTRY_DISK_ARCHIVE_H

struct archive_helper;
struct err;
struct source;

struct archive;

/*
 * Opens the file at @path, or standard input if that is INPUT_STANDARD, and reads nothing
 * yet. @h is borrowed; without it, a compressed archive is refused. Errors: those of open().
 */
int archive_open(const char *path, const struct archive_helper *h, struct archive **out,
		 struct err *e);
/*
 * Scans the archive: standard input is read to its end first, and an archive that is
 * compressed as a whole is unpacked by the helper. -ENOTSUP: compressed in an unsupported
 * form; -EBADMSG: not a tar archive, or damaged; -E2BIG: too many members; and the errors of
 * reading. An empty file is an archive without members; an empty standard input is an error.
 * Does nothing if it has succeeded before. One thread at a time.
 */
int archive_scan(struct archive *a, struct err *e);
/* Both at once for the archive in @file, which gets another reference. */
int archive_new(struct source *file, const struct archive_helper *h, struct archive **out,
		struct err *e);
/* Accepts NULL. Sources of members stay valid. */
void archive_free(struct archive *a);

/*
 * Of an archive that was scanned: the bytes of the regular file @name, with or without "./" in
 * front; the last one if there are several. Links are followed inside the archive. -ENOENT: no
 * such file, or too many links. -ENOTSUP: a sparse file.
 */
int archive_member(struct archive *a, const char *name, struct source **out,
		   struct err *e);

#endif
