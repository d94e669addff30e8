/* SPDX-License-Identifier: MIT */
/*
 * From a tree of nodes to the rows of an index file: what does not fit a row is
 * gathered while the archive goes by, and at the end the nodes are put in order,
 * numbered and written.
 */
#ifndef TAR_INDEX_FLATTEN_H
#define TAR_INDEX_FLATTEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct index_facts;
struct nodes;
struct span;
struct tar_entry;
struct tar_xattr;
struct writer;

struct flat {
	struct buf xattrs;
	/* where the last list begins: neighbours often have the same */
	size_t last_xattrs;
	struct buf extents;
	struct buf spans; /* u32 each: the unit where its row begins */
	struct buf windows;
	struct buf skipped;
	uint32_t n_skipped;
};

/* @skipped_max: bytes of words kept about what is left out. */
void flat_init(struct flat *f, size_t skipped_max);
void flat_release(struct flat *f);

/* 0, -E2BIG, -ENOMEM; *off is what the row holds. */
int flat_add_xattrs(struct flat *f, const struct tar_xattr *xattrs, size_t n,
		    uint32_t *off);
int flat_add_extents(struct flat *f, const struct tar_entry *e, uint64_t *off);
/* Its row goes to @w, which is in the section UNITS. */
int flat_add_span(struct flat *f, struct writer *w, const struct span *sp);
/* Counts an entry that is left out, and keeps the line while there is room. */
void flat_skip(struct flat *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Seals @nodes, writes all sections but UNITS, which the caller has begun, and the
 * head. 0 or negative errno.
 */
int flat_write(struct flat *f, struct nodes *nodes, struct writer *w,
	       const struct index_facts *facts);

#endif
