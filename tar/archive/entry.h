/* SPDX-License-Identifier: MIT */
/* What a tar archive says about one entry: plain data that the reader reports. */
#ifndef TAR_ARCHIVE_ENTRY_H
#define TAR_ARCHIVE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A run of data in a sparse file. */
struct extent {
	uint64_t off; /* in the file */
	uint64_t len;
};

struct tar_xattr {
	const char *name; /* full, "user.x"; NUL-terminated */
	const void *value;
	size_t len;
};

/* All pointers are valid during the call that reports the entry. */
struct tar_entry {
	const char *path; /* as written, not normalized; no NUL inside, never empty */
	size_t path_len;
	const char *link; /* text of a symlink, target of a hard link, else NULL */
	size_t link_len;
	bool is_hardlink; /* if set, only the permissions of mode count */
	uint32_t mode;	  /* S_IFMT type and 07777 permissions */
	uint32_t uid;
	uint32_t gid;
	int64_t mtime; /* seconds since the epoch, rounded down */
	uint32_t mtime_ns;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint64_t size;	 /* of the file as a program reads it; 0 unless a regular file */
	uint64_t stored; /* bytes of content in the archive */
	uint64_t data;	 /* offset in the archive where the content begins */
	bool is_sparse;	 /* if set, stored is the sum of the extents, which ascend */
	const struct extent *extents;
	size_t n_extents;
	const struct tar_xattr *xattrs; /* in the order of the archive, no name twice */
	size_t n_xattrs;
	size_t n_lost;	  /* xattrs that Linux cannot have */
	const char *lost; /* the name of one of them */
	/* the rest of a file that begins in another archive: it cannot be shown */
	bool is_fragment;
	/* not an entry, but a directory that others imply: never set by a reader of archives */
	bool is_implied;
};

#endif
