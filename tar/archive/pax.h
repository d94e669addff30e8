/* SPDX-License-Identifier: MIT */
/*
 * The records of a pax extended header (POSIX.1-2001, pax, "pax Extended Header"): lines
 * "LEN KEY=VALUE\n", where LEN counts the whole line.
 *
 * The body is parsed in place. Texts and xattrs point into it, and parsing writes to it:
 * names get a NUL, encoded values are decoded. So it must live as long as they are used.
 *
 * A later record overrides an earlier one with the same key, and an empty value removes
 * it. An xattr, however, may be empty.
 */
#ifndef TAR_ARCHIVE_PAX_H
#define TAR_ARCHIVE_PAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/archive/entry.h"

struct err;
struct sparse_map;

/* The limit of container tools. No honest header comes near it. */
#define PAX_MAX_BODY (1u << 20)

/*
 * The limits of the kernel: XATTR_SIZE_MAX for a value, XATTR_NAME_MAX for a name,
 * XATTR_LIST_MAX for all names of a file with their NULs. No file system could store
 * more. The limit on the count is ours, because names are compared with each other.
 */
#define PAX_MAX_XATTR_VALUE 65536
#define PAX_MAX_XATTR_NAME  255
#define PAX_MAX_XATTR_NAMES 65536
#define PAX_MAX_XATTRS	    1024

/* NULL if no record sets it; never empty otherwise. */
struct pax_text {
	const char *data;
	size_t len;
};

struct pax_number {
	bool is_set;
	uint64_t value; /* at most INT64_MAX */
};

struct pax_time {
	bool is_set;
	int64_t sec; /* rounded down */
	uint32_t ns;
};

struct pax {
	struct pax_text path;
	struct pax_text link;
	struct pax_number size;
	struct pax_number uid;
	struct pax_number gid;
	struct pax_time mtime;
	struct pax_number dev_major;
	struct pax_number dev_minor;
	/* GNU.sparse.*; the map itself goes to the sparse_map of pax_parse(). */
	struct pax_text sparse_name;
	struct pax_number sparse_major;
	struct pax_number sparse_minor;
	struct pax_number sparse_size;	   /* forms 0.0 and 0.1 */
	struct pax_number sparse_realsize; /* form 1.0 */
	bool has_map;			   /* in form 0.0 or 0.1 */
	struct pax_text holes;		   /* SUN.holesdata: another sparse form */
	size_t n_xattrs;
	size_t n_lost;	  /* xattrs over a limit, and ACLs that are not understood */
	const char *lost; /* the name of the last of them */
	struct tar_xattr xattrs[PAX_MAX_XATTRS];
	bool is_decoded[PAX_MAX_XATTRS]; /* was encoded, as LIBARCHIVE.xattr */
};

struct pax_record {
	char *key; /* not empty; not NUL-terminated */
	size_t key_len;
	char *value;
	size_t value_len;
};

/*
 * Parses the record at *@pos of @body and moves *pos behind it. Returns 1, 0 at the end,
 * or -EBADMSG if it is not a record. Does not write to the body.
 */
int pax_next(char *body, size_t len, size_t *pos, struct pax_record *out, struct err *e);

/* Forgets all records. */
void pax_clear(struct pax *p);

/*
 * Parses all records of a body. @p and @map are cleared first; after a failure their
 * contents are undefined. Errors: -EBADMSG; -E2BIG for too many extents; -ENOMEM. Unknown
 * keys are skipped, and so are xattrs over a limit.
 */
int pax_parse(struct pax *p, char *body, size_t len, struct sparse_map *map,
	      struct err *e);

/*
 * Is the entry a sparse file in one of GNU's pax forms? A size alone does not make it
 * one, as in Go.
 */
bool pax_is_sparse(const struct pax *p);

#endif
