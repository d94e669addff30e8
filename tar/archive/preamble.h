/* SPDX-License-Identifier: MIT */
/*
 * Checks that the content of a file begins at a given offset of a tar, by reading the
 * headers before it. This is for offsets that come from an untrusted table.
 */
#ifndef TAR_ARCHIVE_PREAMBLE_H
#define TAR_ARCHIVE_PREAMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* Reads exactly @len bytes of the tar at @off. 0 or negative errno. */
typedef int preamble_read_fn(void *arg, void *buf, size_t len, uint64_t off,
			     struct err *e);

struct preamble_want {
	uint64_t data, size; /* the content */
	/* Is it the file's path in the archive? NULL: any is. */
	bool (*is_named)(void *named, const char *path, size_t len);
	void *named;
};

/* 0; -EBADMSG with a sentence if that file is not there; or the error of @read. */
int preamble_check(preamble_read_fn *read, void *arg, const struct preamble_want *want,
		   struct err *e);

#endif
