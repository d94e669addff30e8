/* SPDX-License-Identifier: MIT */
/*
 * A layer's tree while its archive is read, and the index that comes of it.
 *
 * Entries are added in the order of the archive, by the rules of an unpacker that
 * starts in an empty directory (image-spec layer.md; where that is silent, what
 * container runtimes do):
 *
 *	names are cleaned, `..` stops at the root
 *	a parent that is a symlink of this layer is followed, inside the root
 *	a parent that is missing, or no directory, becomes an implied directory
 *	a later entry replaces an earlier one of the same path; a directory keeps
 *	the children that it had
 *	a hard link shares the inode its target has at that moment; a target that
 *	comes later is taken at the end; one that never comes is left to the layers
 *	below (ENTRY_FOREIGN)
 *	a whiteout is an entry like others, and marked
 *
 * What no file system could hold (a name over 255 bytes, a link to a directory, a
 * cycle of hard links) is left out, counted, and put into words.
 *
 * About 110 bytes of memory for an entry, and 4 for a span. One thread at a time, but that
 * spans may come from another one.
 */
#ifndef TAR_INDEX_TREE_H
#define TAR_INDEX_TREE_H

#include <stdint.h>

#include "tar/index/facts.h"

struct err;
struct span;
struct tar_entry;
struct tree;

/* @fd is an empty file that tree_finish() leaves as an index; borrowed. */
int tree_new(int fd, struct tree **out);
void tree_free(struct tree *t);

#define TREE_NO_FILE UINT32_MAX

/*
 * Adds an entry. *file is the number by which tree_set_digest() knows it, if it is
 * a regular file that is shown, else TREE_NO_FILE. -E2BIG over a ceiling, -ENOMEM.
 */
int tree_add(struct tree *t, const struct tar_entry *entry, uint32_t *file,
	     struct err *e);
/* The content's SHA-256, once it has gone by. */
void tree_set_digest(struct tree *t, uint32_t file, const uint8_t sha256[32]);
int tree_add_span(struct tree *t, const struct span *sp);

/* Entries so far, implied ones included. */
uint32_t tree_count(const struct tree *t);

/* Sorts and writes. 0 or negative errno; nothing but tree_free() may follow. */
int tree_finish(struct tree *t, const struct index_facts *facts, struct err *e);

#endif
