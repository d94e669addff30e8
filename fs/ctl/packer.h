/* SPDX-License-Identifier: MIT */
/*
 * Packs parts of a tree into a tar. What cannot be read is reported, left out, and makes the
 * archive incomplete. One thread.
 */
#ifndef FS_CTL_PACKER_H
#define FS_CTL_PACKER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/idmap.h"

struct item;
struct pax;
struct reader;

struct packer {
	struct reader *reader;
	struct pax *pax;
	struct idmap names;  /* the first name of each file that has several */
	struct buf path;     /* of the entry being packed; "" for the root */
	struct buf xattrs;   /* its names of xattrs */
	struct buf value;    /* of one of them, or the target of a symlink */
	struct piece *holes; /* the data of a sparse file */
	char *bytes;	     /* a part of a file */
	bool is_empty;	     /* no entry was written */
	bool is_incomplete;
};

/*
 * The archive goes to @fd; @r and @fd are borrowed. -ENOMEM. Call packer_release() in any
 * case.
 */
int packer_init(struct packer *p, struct reader *r, int fd);
void packer_release(struct packer *p);

/*
 * Packs @top and all below it. @name: of @top in the archive, relative; "" is the root, "./".
 * A file of which a part was written before reading failed is filled up with zeros. 0, or
 * the negative errno of what ends the archive: writing, or memory.
 */
int packer_add(struct packer *p, const char *name, const struct item *top);
/* Ends the archive. If it has no entry, nothing is written. As above. */
int packer_end(struct packer *p);

#endif
