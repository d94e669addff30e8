/* SPDX-License-Identifier: MIT */
#include "fs/fuse/device.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

/* Where libfuse looks for it: in one place, and then in PATH. */
static bool has_fusermount(void)
{
	const char *path = getenv("PATH"), *end;
	char name[PATH_MAX];

	if (access("/usr/bin/fusermount3", X_OK) == 0)
		return true;
	for (; path && *path; path = *end ? end + 1 : end) {
		end = strchrnul(path, ':');
		snprintf(name, sizeof(name), "%.*s/fusermount3", (int)(end - path), path);
		if (access(name, X_OK) == 0)
			return true;
	}
	return false;
}

static bool may_mount(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capget, &head, data) == 0 &&
	       data[CAP_SYS_ADMIN / 32].effective & 1u << CAP_SYS_ADMIN % 32;
}

static bool is_allowed_by_conf(void)
{
	FILE *conf = fopen("/etc/fuse.conf", "re");
	char line[256], word[32];
	bool is = false;

	while (conf && !is && fgets(line, sizeof(line), conf))
		is = sscanf(line, "%31s", word) == 1 &&
		     strcmp(word, "user_allow_other") == 0;
	if (conf)
		fclose(conf);
	return is;
}

/* What fusermount3 would refuse, but only after the layers were loaded. */
static int check_user(const char *mountpoint, bool allow_other, struct err *e)
{
	if (!has_fusermount())
		return err_set(e, -ENOENT,
			       "fusermount3 is missing, and without it only root can "
			       "mount (install the package fuse3)");
	if (access(mountpoint, W_OK) < 0)
		return err_set(e, -errno,
			       "you cannot write to it, so only root may mount there");
	if (allow_other && !is_allowed_by_conf())
		return err_set(e, -EPERM,
			       "allow_other is for root alone, unless /etc/fuse.conf has "
			       "user_allow_other");
	return 0;
}

int device_check(const char *mountpoint, bool allow_other, struct err *e)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), code = errno;

	if (fd >= 0)
		close(fd);
	/* fusermount3, which is root, opens it for other users. */
	if (fd < 0 &&
	    (code == ENOENT || code == ENODEV || code == ENXIO || geteuid() == 0))
		return err_set(e, -code,
			       "this machine has no FUSE: /dev/fuse: %s (`modprobe fuse` "
			       "as root; a container needs --device /dev/fuse)",
			       strerror(code));
	if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 0)
		return err_set(e, -EPERM,
			       "mounting is not permitted here (a container needs "
			       "--cap-add SYS_ADMIN, and --device /dev/fuse)");
	return geteuid() == 0 || may_mount() ? 0 : check_user(mountpoint, allow_other, e);
}
