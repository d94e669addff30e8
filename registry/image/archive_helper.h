/* SPDX-License-Identifier: MIT */
/*
 * What the reader of an archive on disk gets from the program: registry/ cannot decompress,
 * has no log and does not know when the program ends. Plain data. Any thread may call the
 * functions.
 */
#ifndef REGISTRY_IMAGE_ARCHIVE_HELPER_H
#define REGISTRY_IMAGE_ARCHIVE_HELPER_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct source;

struct archive_helper {
	/*
	 * Makes a source of the decoded bytes of @packed, a gzip or zstd file, which gets another
	 * reference. @identity is a text that no other content of a file has, to recognise the
	 * file with; NULL if it has none. -EBADMSG, -E2BIG: not a compressed tar archive, or
	 * damaged; -EINTR: *cancelled.
	 */
	int (*unpack)(void *arg, struct source *packed, const char *identity,
		      struct source **out, struct err *e);
	/* Tells the user something. */
	void (*tell)(void *arg, const char *sentence);
	void *arg;
	uint64_t *
		read; /* atomic: the bytes of archives that were read, added up; not NULL */
	const bool *cancelled; /* atomic; when it becomes true, waits end with -EINTR */
};

#endif
