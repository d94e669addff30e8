/* SPDX-License-Identifier: MIT */
#include "base/store/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"

#define STALE_SECONDS 3600

/* Directories */

int files_make_path(const char *path)
{
	char *copy, *p;
	int rc = 0;

	if (!*path)
		return -ENOENT;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	for (p = copy + 1; rc == 0; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			rc = -errno;
		*p = c;
		if (c == '\0')
			break;
	}
	free(copy);
	return rc;
}

int files_open_below(int at, const char *path)
{
	char part[DIGEST_TEXT_MAX];
	int fd = fcntl(at, F_DUPFD_CLOEXEC, 0), next;

	while (fd >= 0 && *path) {
		size_t len = strcspn(path, "/");

		memcpy(part, path, len);
		part[len] = '\0';
		path += len + (path[len] == '/');
		if (mkdirat(fd, part, 0700) < 0 && errno != EEXIST)
			goto fail;
		next = openat(fd, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (next < 0)
			goto fail;
		close(fd);
		fd = next;
	}
	return fd < 0 ? -errno : fd;
fail:
	next = -errno;
	close(fd);
	return next;
}

bool files_is_store(int fd)
{
	static const char *const names[] = {"documents", "layers"};
	struct stat st;
	size_t i;

	for (i = 0; i < 2; i++) {
		if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			return true;
	}
	return false;
}

/* Files with names */

int files_open(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return -ENOENT;
}

int files_read(int fd, size_t max, struct buf *out)
{
	struct stat st;
	ssize_t n = 1;
	int rc = 0;
	void *to;

	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size > max)
		rc = -ENOENT;
	while (rc == 0 && n > 0 && out->len < (size_t)st.st_size) {
		rc = buf_reserve(out, (size_t)st.st_size - out->len, &to);
		if (rc < 0)
			break;
		n = read(fd, to, (size_t)st.st_size - out->len);
		if (n < 0)
			rc = -errno;
		else
			buf_advance(out, (size_t)n);
	}
	close(fd);
	return rc;
}

int files_copy(int from, int to)
{
	off_t off = 0;
	ssize_t n;

	do {
		n = sendfile(to, from, &off, 1 << 30);
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

uint64_t files_disk_bytes(const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512;
}

/* Files without names */

#define RANDOM_NAME 17

/*
 * Not made from the process ID: processes that share a store may have the same one, in
 * different containers.
 */
static int random_name(char *out)
{
	uint64_t r;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		return -EAGAIN;
	snprintf(out, RANDOM_NAME, "%016llx", (unsigned long long)r);
	return 0;
}

static bool is_random_name(const char *name)
{
	size_t len = strspn(name, "0123456789abcdef");

	return len == RANDOM_NAME - 1 && name[len] == '\0';
}

int files_new_unnamed(int dir)
{
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char name[RANDOM_NAME];

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd < 0 ? -errno : fd;
	/* NFS and old overlayfs have no O_TMPFILE: create a name and remove it. */
	if (random_name(name) < 0)
		return -EAGAIN;
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)unlinkat(dir, name, 0);
	return fd;
}

/* /var/tmp and not /tmp, which may be memory: a layer is too large for that. */
const char *files_temporary_dir(void)
{
	const char *path = getenv("TMPDIR");

	return path && *path ? path : "/var/tmp";
}

int files_new_temporary(void)
{
	int dir = open(files_temporary_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	if (dir < 0)
		return -errno;
	fd = files_new_unnamed(dir);
	close(dir);
	return fd;
}

/* Names by rename */

/* Copies @fd to a new file @name in @dir, and syncs it. */
static int copy_file(int fd, int dir, const char *name)
{
	int to = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc;

	if (to < 0)
		return -errno;
	rc = files_copy(fd, to);
	if (rc == 0 && fsync(to) < 0)
		rc = -errno;
	close(to);
	if (rc < 0)
		(void)unlinkat(dir, name, 0);
	return rc;
}

/*
 * linkat() cannot replace a file, so the new one gets a name in @tmp_dir and rename()
 * replaces. A file that cannot be linked, because it is on another disk or its name was
 * removed, is copied.
 */
int files_give_name(int tmp_dir, int fd, int dir, const char *name)
{
	char self[64], tmp[RANDOM_NAME];
	int rc = random_name(tmp);

	if (rc < 0)
		return rc;
	if (fsync(fd) < 0)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, tmp_dir, tmp, AT_SYMLINK_FOLLOW) < 0)
		rc = copy_file(fd, tmp_dir, tmp);
	if (rc < 0)
		return rc;
	if (renameat(tmp_dir, tmp, dir, name) < 0) {
		rc = -errno;
		(void)unlinkat(tmp_dir, tmp, 0);
	} else if (fsync(dir) < 0) {
		rc = -errno;
	}
	return rc;
}

void files_clean(int tmp)
{
	time_t old = time(NULL) - STALE_SECONDS;
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int fd = openat(tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (is_random_name(entry->d_name) &&
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_mtime < old)
			(void)unlinkat(fd, entry->d_name, 0);
	}
	closedir(dir);
}
