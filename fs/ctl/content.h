/* SPDX-License-Identifier: MIT */
/* Whether two files of open images have the same bytes, found without reading them if possible. */
#ifndef FS_CTL_CONTENT_H
#define FS_CTL_CONTENT_H

#include <stdint.h>

struct reader;

/* A regular file. */
struct content {
	struct reader *reader;
	uint64_t node;
	uint64_t size;
};

/*
 * 0: the same; 1: not; a negative errno for reader_why() of *@failed. The digests in the
 * indexes decide. Both files are read if an index has no digest of its file (SOCI, pushed, a file
 * with holes), or if the digests are equal, but one is of a table of contents and reading
 * the file does not check it (of several chunks).
 */
int content_compare(const struct content *a, const struct content *b,
		    struct reader **failed);

#endif
