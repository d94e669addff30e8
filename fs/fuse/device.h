/* SPDX-License-Identifier: MIT */
/* Whether this machine allows the mount: checked before the layers are loaded. */
#ifndef FS_FUSE_DEVICE_H
#define FS_FUSE_DEVICE_H

#include <stdbool.h>

struct err;

/*
 * 0, or a negative errno and a sentence if no mount can succeed: on this machine, or, for a
 * user who needs fusermount3, at @mountpoint or with allow_other.
 */
int device_check(const char *mountpoint, bool allow_other, struct err *e);

#endif
