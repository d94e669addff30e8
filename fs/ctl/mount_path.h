/* SPDX-License-Identifier: MIT */
#ifndef FS_CTL_MOUNT_PATH_H
#define FS_CTL_MOUNT_PATH_H

/*
 * Finds the mount of peelfs that has @path, and gives a mount point of the whole file system
 * and the path inside it, each in PATH_MAX bytes. @mountpoint is "" if only a part of the
 * file system is visible. 0, -EXDEV if the path is in no mount of peelfs, or another
 * negative errno.
 */
int mount_path_find(const char *path, char *mountpoint, char *inside);

#endif
