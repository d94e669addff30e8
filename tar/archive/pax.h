/* SPDX-License-Identifier: MIT */
/*
 * The records of a pax extended header (POSIX.1-2001, pax, "pax Extended Header"):
 * lines "LEN KEY=VALUE\n", LEN counting the whole line.
 *
 * Parsed in place: texts and xattrs point into the body, which is written to (names are
 * ended with NUL, the coded ones decoded) and must live as long as they are used.
 *
 * A later record overrules an earlier one with the same key, and an empty value takes
 * it back: but an xattr may be empty.
 */
#ifndef TAR_ARCHIVE_PAX_H
#define TAR_ARCHIVE_PAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tar/archive/entry.h"

struct err;
struct sparse_map;

/* What container tools take; no honest header comes near. */
#define PAX_MAX_BODY (1u << 20)

/*
 * The kernel's: a value is at most XATTR_SIZE_MAX, a name XATTR_NAME_MAX, all names of a
 * file with their NULs XATTR_LIST_MAX. What is beyond could be on no file system. The
 * count is ours: names are compared with each other.
 */
#define PAX_MAX_XATTR_VALUE 65536
#define PAX_MAX_XATTR_NAME  255
#define PAX_MAX_XATTR_NAMES 65536
#define PAX_MAX_XATTRS	    1024

/* NULL when no record says it; never empty. */
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
	/* GNU.sparse.*, with which goes the map that pax_parse() fills. */
	struct pax_text sparse_name;
	struct pax_number sparse_major;
	struct pax_number sparse_minor;
	struct pax_number sparse_size;	   /* forms 0.0 and 0.1 */
	struct pax_number sparse_realsize; /* form 1.0 */
	bool has_map;			   /* of form 0.0 or 0.1 */
	struct pax_text holes;		   /* SUN.holesdata: a sparse form of its own */
	size_t n_xattrs;
	struct tar_xattr xattrs[PAX_MAX_XATTRS];
	bool is_decoded[PAX_MAX_XATTRS]; /* came coded, as LIBARCHIVE.xattr */
};

struct pax_record {
	char *key; /* not empty; not NUL-terminated */
	size_t key_len;
	char *value;
	size_t value_len;
};

/*
 * The record at *@pos of @body, and *pos moved behind it: 1, 0 at the end, -EBADMSG for
 * what is no record. Reads only.
 */
int pax_next(char *body, size_t len, size_t *pos, struct pax_record *out, struct err *e);

/* Nothing said. */
void pax_clear(struct pax *p);

/*
 * All records of a body. @p and @map are cleared first and hold nothing to rely on after
 * a failure: -EBADMSG, -E2BIG for xattrs over a ceiling or a map of too many extents,
 * -ENOMEM. Keys that nothing is made of are passed over.
 */
int pax_parse(struct pax *p, char *body, size_t len, struct sparse_map *map,
	      struct err *e);

/* Is the entry a sparse file of GNU's? As Go has it: a size alone makes none. */
bool pax_is_sparse(const struct pax *p);

#endif
