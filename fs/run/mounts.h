/* SPDX-License-Identifier: MIT */
/*
 * The kernel's interface for mounts by descriptor (Linux 5.12). A mount is made or copied
 * detached, gets its attributes, and is attached to a directory that is open already, so no
 * path is resolved twice. The caller closes all descriptors; a mount that was never attached
 * goes with the last one.
 *
 * Each call gives a descriptor or 0, or a negative errno.
 */
#ifndef FS_RUN_MOUNTS_H
#define FS_RUN_MOUNTS_H

#include <stdbool.h>

/* Attributes of a mount, for mounts_new(). */
#define MOUNTS_NOSUID 1u
#define MOUNTS_NODEV  2u
#define MOUNTS_NOEXEC 4u
#define MOUNTS_RDONLY 8u

/* An option of a file system; without a value, a flag. A list ends with a NULL name. */
struct mount_option {
	const char *name;
	const char *value;
};

/* 0 if this process may mount file systems of @type; -ENODEV: the kernel has none. */
int mounts_probe(const char *type);
/*
 * A new file system of @type, for a mount with the attributes @flags. @source is shown in
 * mountinfo. NULL @options: none.
 */
int mounts_new(const char *type, const char *source, const struct mount_option *options,
	       unsigned flags);
/* A copy of the mount at @path (at @dir, as openat(2)), with all mounts below it. */
int mounts_copy(int dir, const char *path);
/* Makes a detached mount, and all below it, read-only. */
int mounts_make_read_only(int mount);
/* Attaches a detached mount at what @target is open on. */
int mounts_attach(int mount, int target);
/* Ends the exchange of mounts between this mount namespace and others. */
int mounts_make_private(void);

#endif
