/* SPDX-License-Identifier: MIT */
/* Whether this machine lets us mount: asked before the work that would be for nothing. */
#ifndef FS_FUSE_DEVICE_H
#define FS_FUSE_DEVICE_H

#include <stdbool.h>

struct err;

/*
 * 0, or negative with a sentence where no mount can succeed: on this machine, or, for who
 * needs fusermount3, at @mountpoint or with allow_other.
 */
int device_check(const char *mountpoint, bool allow_other, struct err *e);

#endif
