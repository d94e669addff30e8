/* SPDX-License-Identifier: MIT */
/*
 * The flat form of a tree: the rows of an index file. What does not fit into a row is
 * collected while the archive is read. At the end the nodes are ordered, numbered and
 * written.
 */
#ifndef TAR_INDEX_FLAT_H
#define TAR_INDEX_FLAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct index_info;
struct draft;
struct span;
struct tar_entry;
struct tar_xattr;
struct writer;

/*
 * Ceilings. Equal lists of xattrs are mostly shared, so they take a few KiB on real layers.
 * Extents take three words for each hole.
 */
#define FLAT_XATTRS_MAX	 (256u << 20)
#define FLAT_EXTENTS_MAX (256u << 20)

struct flat {
	struct buf list; /* of xattrs or extents, while it is made */
	/* the last list of xattrs, and its unit: neighbours often have equal lists */
	struct buf last;
	uint32_t last_unit;
	uint64_t xattrs_len; /* bytes of all lists */
	uint64_t extents_len;
	struct buf spans; /* u32 each: the row's unit */
	struct buf skipped;
	uint32_t n_skipped;
};

/* @skipped_max: bytes of text to keep about entries that are left out. */
void flat_init(struct flat *f, size_t skipped_max);
void flat_release(struct flat *f);

/*
 * These write to @w, which must be in the section UNITS. 0, -E2BIG or -ENOMEM. *unit is the
 * value for the row; 0 if Linux has none of the xattrs.
 */
int flat_add_xattrs(struct flat *f, struct writer *w, const struct tar_xattr *xattrs,
		    size_t n, uint32_t *unit);
int flat_add_extents(struct flat *f, struct writer *w, const struct tar_entry *e,
		     uint64_t *unit);
int flat_add_span(struct flat *f, struct writer *w, const struct span *sp);
/*
 * Counts an entry that is left out, and keeps a line "PATH: REASON" while there is room;
 * a long path is shortened. Always 0, because leaving out an entry is no failure.
 */
int flat_skip(struct flat *f, const char *path, size_t len, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Counts @n entries, and keeps as many of their lines as fit. */
void flat_add_skipped(struct flat *f, uint32_t n, const char *text, size_t len);

/*
 * Seals @draft and writes the head and all sections but UNITS, which the caller has
 * started. 0 or negative errno.
 */
int flat_write(struct flat *f, struct draft *draft, struct writer *w,
	       const struct index_info *info);

#endif
