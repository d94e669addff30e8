/* SPDX-License-Identifier: MIT */
/*
 * The tree of a layer while its archive is read, and the index that is made from it.
 *
 * Entries are added in the order of the archive, by the rules of an unpacker that starts
 * in an empty directory (image-spec layer.md; where that is silent, the practice of
 * container runtimes):
 *
 *	names are cleaned, `..` stops at the root
 *	a parent that is a symlink of this layer is followed, inside the root
 *	a parent that is missing, or no directory, becomes an implied directory
 *	a later entry replaces an earlier one of the same path; a directory keeps
 *	its children
 *	a hard link shares the inode that its target has at that moment; if the target
 *	comes later, it is resolved at the end; if it never comes, the link refers
 *	to the layers below (ENTRY_FOREIGN)
 *	a whiteout is an entry like others, and marked
 *
 * Entries that no file system could represent (a name over 255 bytes, a link to a
 * directory, a cycle of hard links) are left out, counted, and described in a line of
 * text.
 *
 * Costs about 110 bytes of memory for an entry, and 4 for a span. Xattrs, extents, windows
 * and digests are written at once. One thread at a time;
 * only tree_add_span() may be called from another one.
 */
#ifndef TAR_INDEX_TREE_H
#define TAR_INDEX_TREE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct index_info;
struct span;
struct tar_entry;
struct tree;

/* @fd is an empty file, borrowed; tree_finish() turns it into an index. */
int tree_new(int fd, struct tree **out);
void tree_free(struct tree *t);

/* Lowers the ceiling of the number of entries from INDEX_ENTRIES_MAX. */
void tree_set_max(struct tree *t, uint32_t n);

#define TREE_NO_FILE UINT32_MAX

/*
 * Adds an entry. *file is the number for tree_set_digest() if the entry is a regular file
 * that is not left out, else TREE_NO_FILE. -E2BIG over a ceiling, -ENOMEM.
 */
int tree_add(struct tree *t, const struct tar_entry *entry, uint32_t *file,
	     struct err *e);
/* Counts @n entries as left out before, of which @text, lines, says why. */
void tree_add_skipped(struct tree *t, uint32_t n, const char *text, size_t len);
/* Sets the SHA-256 of the content, once that was read. */
void tree_set_digest(struct tree *t, uint32_t file, const uint8_t sha256[32]);
int tree_add_span(struct tree *t, const struct span *sp);

/* The entries so far, including implied ones. */
uint32_t tree_count(const struct tree *t);

/*
 * Sorts and writes. Of @info, the fields of the maker are used. 0 or negative errno. Only
 * tree_free() may follow.
 */
int tree_finish(struct tree *t, const struct index_info *info, struct err *e);

#endif
