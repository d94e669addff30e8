/* SPDX-License-Identifier: MIT */
/* Compares the trees of two indexes. */
#ifndef TAR_INDEX_SAME_H
#define TAR_INDEX_SAME_H

#include <stdbool.h>

struct index;

/*
 * Do both have the same entries, under the same numbers? Where contents are, and their digests,
 * may differ. False, too, if one of them is damaged.
 */
bool same_tree(const struct index *a, const struct index *b);

#endif
