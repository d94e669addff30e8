/* SPDX-License-Identifier: MIT */
/*
 * Checks that the content of a file is where an external index says (SOCI, pushed): such an
 * index is only the registry's word, and its spans have digests but its files have none.
 */
#ifndef TAR_FILE_CHECK_H
#define TAR_FILE_CHECK_H

#include <stdbool.h>

struct entry;
struct err;
struct layer;

/*
 * For a layer with such an index, compares the tar header before the content of @file, once
 * for each file: it must have the file's size, and a path that leads to the file in the tree.
 * 0, or the errors of layer_get(): -ESTALE if the index was wrong.
 */
int file_check(struct layer *l, const struct entry *file, const bool *cancelled,
	       struct err *e);

#endif
