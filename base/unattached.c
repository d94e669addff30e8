/* SPDX-License-Identifier: MIT */
#include "base/unattached.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DIR_PATH "/run/peelfs"

static void unattached_path(dev_t dev, char path[UNATTACHED_PATH_MAX])
{
	snprintf(path, UNATTACHED_PATH_MAX, DIR_PATH "/%u:%u", major(dev), minor(dev));
}

/* Links that lead nowhere: their process was killed. */
static void remove_dead(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	char target[64];
	struct stat st;

	while (list && (e = readdir(list))) {
		if (readlinkat(dir, e->d_name, target, sizeof(target)) > 0 &&
		    fstatat(dir, e->d_name, &st, 0) < 0 && errno == ENOENT)
			unlinkat(dir, e->d_name, 0);
	}
	if (list)
		closedir(list);
	else if (fd >= 0)
		close(fd);
}

int unattached_note(dev_t dev, int fd)
{
	char path[UNATTACHED_PATH_MAX], target[64];
	int dir, rc;

	if (mkdir(DIR_PATH, 0755) == 0)
		(void)chmod(DIR_PATH, 0755); /* whatever the umask is */
	dir = open(DIR_PATH, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	remove_dead(dir);
	unattached_path(dev, path);
	unlink(path);
	snprintf(target, sizeof(target), "/proc/%d/fd/%d", (int)getpid(), fd);
	rc = symlink(target, path) < 0 ? -errno : 0;
	close(dir);
	return rc;
}

void unattached_forget(dev_t dev)
{
	char path[UNATTACHED_PATH_MAX];

	unattached_path(dev, path);
	unlink(path);
}

bool unattached_find(dev_t dev, char path[UNATTACHED_PATH_MAX])
{
	char target[64];

	unattached_path(dev, path);
	return readlink(path, target, sizeof(target)) > 0;
}
