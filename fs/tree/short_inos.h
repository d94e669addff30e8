/* SPDX-License-Identifier: MIT */
/*
 * Inode numbers of 32 bits for those of 64, which programs without large-file support cannot
 * take: the kernel fails their stat(2) and readdir(3) with EOVERFLOW.
 *
 * Different numbers stay different, so a table keeps each that was asked for, in 12 bytes and
 * some room. A number is made of the bits of the long one, and is another only if an earlier
 * one has it: of a million files that happens to about a hundred. All others have the same
 * number in every mount.
 *
 * Any thread.
 */
#ifndef FS_TREE_SHORT_INOS_H
#define FS_TREE_SHORT_INOS_H

#include <stdint.h>

struct short_inos;

int short_inos_new(struct short_inos **out);
/* NULL is fine. */
void short_inos_free(struct short_inos *s);
/* The number for @ino: never 0 or 1. -ENOMEM; -ENOSPC: there are too many. */
int short_inos_get(struct short_inos *s, uint64_t ino, uint32_t *out);

#endif
