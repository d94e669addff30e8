/* SPDX-License-Identifier: MIT */
/*
 * The headers in front of a file's content in a tar, read backwards: is this where that
 * file lies? For who has the place from somebody else.
 */
#ifndef TAR_ARCHIVE_PREAMBLE_H
#define TAR_ARCHIVE_PREAMBLE_H

#include <stddef.h>
#include <stdint.h>

struct err;

/* Exactly @len bytes of the tar at @off, or negative errno. */
typedef int preamble_read_fn(void *arg, void *buf, size_t len, uint64_t off,
			     struct err *e);

struct preamble_want {
	uint64_t data, size; /* the content */
	const char *name;    /* the last part of its path; NULL: any */
	size_t name_len;
};

/* 0; -EBADMSG with a sentence: there is no such file there; or what @read said. */
int preamble_check(preamble_read_fn *read, void *arg, const struct preamble_want *want,
		   struct err *e);

#endif
