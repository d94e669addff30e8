/* SPDX-License-Identifier: MIT */
/* The whiteouts of a tree under construction (image-spec layer.md, "Whiteouts"). */
#ifndef TAR_INDEX_WHITEOUTS_H
#define TAR_INDEX_WHITEOUTS_H

#include <stdbool.h>
#include <stddef.h>

struct draft;

/* Does the name begin with ".wh."? */
bool whiteout_is_marker(const char *name, size_t len);

/*
 * Marks entries that hide names of lower layers: by their own name, or because overlayfs uses
 * them as whiteouts, since some archives are copies of its upper directory. Most whiteouts
 * there are hard links to one file, so all links must be resolved. Removes directories that
 * only hold whiteouts and are hidden themselves.
 */
void whiteouts_mark(struct draft *dr);

#endif
