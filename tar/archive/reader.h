/* SPDX-License-Identifier: MIT */
/*
 * A tar archive, read as its bytes come: v7, ustar, GNU and pax.
 *
 * The bytes are pushed in, in pieces of any size; entries and their content are
 * handed out in order. Memory is bounded by the longest name, link, xattr list
 * and sparse map, each with its ceiling, whatever the archive says.
 *
 * What is read is what container tools read (Go's archive/tar is the reference in
 * the field): the first end-of-archive marker ends the archive and the rest is
 * ignored; global pax headers are read and not applied.
 */
#ifndef TAR_ARCHIVE_READER_H
#define TAR_ARCHIVE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* A run of a sparse file that has data. */
struct extent {
	uint64_t off; /* in the file */
	uint64_t len;
};

struct tar_xattr {
	const char *name; /* full, "user.x"; NUL-terminated */
	const void *value;
	size_t len;
};

/* All pointers are lent for the call. */
struct tar_entry {
	const char *path; /* as written, not cleaned; no NUL inside, never empty */
	size_t path_len;
	const char *link; /* text of a symlink, target of a hard link, else NULL */
	size_t link_len;
	bool is_hardlink; /* then of mode only the permissions count */
	uint32_t mode;	  /* S_IFMT type and 07777 permissions */
	uint32_t uid;
	uint32_t gid;
	int64_t mtime; /* seconds since the epoch, rounded down */
	uint32_t mtime_ns;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint64_t size;	 /* of the file as a reader sees it; 0 but for regular files */
	uint64_t stored; /* bytes of content in the archive */
	uint64_t data;	 /* where they begin: offset in the archive */
	bool is_sparse;	 /* then stored is the sum of the extents, which ascend */
	const struct extent *extents;
	size_t n_extents;
	const struct tar_xattr *xattrs; /* in the order of the archive, no name twice */
	size_t n_xattrs;
};

struct reader_ops {
	/* Negative errno ends the reading and is what reader_feed() returns. */
	int (*entry)(void *arg, const struct tar_entry *entry);
	/* Content of the last entry, in order, @entry->stored bytes in all. */
	int (*content)(void *arg, const void *data, size_t len);
};

struct reader;

/* @ops must outlive the reader. */
int reader_new(const struct reader_ops *ops, void *arg, struct reader **out);
void reader_free(struct reader *r);

/*
 * The next bytes. 0, or what ended it: -EBADMSG (bad checksum, number, pax record
 * or sparse map), -E2BIG (a ceiling), -ENOTSUP, each with a sentence that says at
 * which byte; then only reader_free() may follow.
 */
int reader_feed(struct reader *r, const void *data, size_t len, struct err *e);
/* No more bytes: -EBADMSG if the archive stops inside a header or an entry. */
int reader_finish(struct reader *r, struct err *e);

#endif
