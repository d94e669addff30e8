/* SPDX-License-Identifier: MIT */
/*
 * glibc has wrappers since 2.36, in a header that excludes the kernel's; so the calls are
 * made by number.
 */
#include "fs/run/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* MS_PRIVATE of the older header. */
#define PRIVATE (1u << 18)

static int result(long rc)
{
	return rc < 0 ? -errno : (int)rc;
}

static int configure(int fs, unsigned command, const char *name, const char *value)
{
	return result(syscall(SYS_fsconfig, fs, command, name, value, 0));
}

static int set_options(int fs, const struct mount_option *o)
{
	int rc = 0;

	for (; rc == 0 && o && o->name; o++)
		rc = configure(fs, o->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			       o->name, o->value);
	return rc;
}

static uint64_t attributes(unsigned flags)
{
	return (flags & MOUNTS_NOSUID ? MOUNT_ATTR_NOSUID : 0u) |
	       (flags & MOUNTS_NODEV ? MOUNT_ATTR_NODEV : 0u) |
	       (flags & MOUNTS_NOEXEC ? MOUNT_ATTR_NOEXEC : 0u) |
	       (flags & MOUNTS_RDONLY ? MOUNT_ATTR_RDONLY : 0u);
}

int mounts_probe(const char *type)
{
	int fs = result(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));

	if (fs >= 0)
		close(fs);
	return fs < 0 ? fs : 0;
}

int mounts_new(const char *type, const char *source, const struct mount_option *options,
	       unsigned flags)
{
	int rc, fs = result(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));

	if (fs < 0)
		return fs;
	rc = configure(fs, FSCONFIG_SET_STRING, "source", source);
	if (rc == 0)
		rc = set_options(fs, options);
	if (rc == 0)
		rc = configure(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (rc == 0)
		rc = result(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes(flags)));
	close(fs);
	return rc;
}

int mounts_copy(int dir, const char *path)
{
	return result(syscall(SYS_open_tree, dir, path,
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
				      (path[0] ? 0 : AT_EMPTY_PATH)));
}

static int set_attributes(int dir, const char *path, unsigned at, struct mount_attr *a)
{
	return result(
		syscall(SYS_mount_setattr, dir, path, at | AT_RECURSIVE, a, sizeof(*a)));
}

int mounts_make_read_only(int mount)
{
	struct mount_attr a = {.attr_set = MOUNT_ATTR_RDONLY};

	return set_attributes(mount, "", AT_EMPTY_PATH, &a);
}

int mounts_attach(int mount, int target)
{
	return result(syscall(SYS_move_mount, mount, "", target, "",
			      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

int mounts_make_private(void)
{
	struct mount_attr a = {.propagation = PRIVATE};

	return set_attributes(AT_FDCWD, "/", 0, &a);
}
