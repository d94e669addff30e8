/* SPDX-License-Identifier: MIT */
#include "fs/run/rooted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"

/* As in the kernel (path_resolution(7)). */
#define LINKS_MAX 40

int rooted_open(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	do {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? -errno : (int)fd;
}

/* The directory @len bytes of @path lead to, where "" is the root. */
static int open_directory(int root, const char *path, size_t len)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "/%.*s", (int)len, path);
	return rooted_open(root, dir, O_PATH | O_DIRECTORY);
}

/* The length of the part of @path up to the end of its name at @at. */
static size_t name_end(const char *path, size_t at)
{
	at += strspn(path + at, "/");
	return at + strcspn(path + at, "/");
}

/* Puts the target of a link in place of the first @end bytes of @path; @at: of its name. */
static int follow(char path[PATH_MAX], size_t at, size_t end, const char *target)
{
	char next[PATH_MAX];
	int n;

	n = snprintf(next, sizeof(next), "%.*s/%s%s", target[0] == '/' ? 0 : (int)at,
		     path, target, path + end);
	if (n < 0 || (size_t)n >= sizeof(next))
		return -ENAMETOOLONG;
	memcpy(path, next, (size_t)n + 1);
	return 0;
}

static int make_name(int dir, const char *name, mode_t type)
{
	int rc = type == S_IFDIR ? mkdirat(dir, name, 0755)
				 : mknodat(dir, name, S_IFREG | 0644, 0);

	return rc < 0 && errno != EEXIST ? -errno : 0;
}

/* Makes the first missing name of @path, or follows the link that stands there. */
static int mend(int root, char path[PATH_MAX], size_t at, size_t end, mode_t type)
{
	char name[NAME_MAX + 1], target[PATH_MAX];
	size_t begin = at + strspn(path + at, "/");
	bool is_last = path[end + strspn(path + end, "/")] == '\0';
	ssize_t n;
	int rc, dir;

	if (end - begin > NAME_MAX)
		return -ENAMETOOLONG;
	snprintf(name, sizeof(name), "%.*s", (int)(end - begin), path + begin);
	dir = open_directory(root, path, at);
	if (dir < 0)
		return dir;
	n = readlinkat(dir, name, target, sizeof(target) - 1);
	if (n >= 0) {
		target[n] = '\0';
		rc = follow(path, at, end, target);
	} else {
		rc = make_name(dir, name, is_last ? type : S_IFDIR);
	}
	close(dir);
	return rc;
}

/* One step: the first name that is missing. 1: there is none. */
static int make_step(int root, char path[PATH_MAX], mode_t type)
{
	size_t at = 0, end;
	char part[PATH_MAX];
	int fd;

	for (; path[at + strspn(path + at, "/")]; at = end) {
		end = name_end(path, at);
		snprintf(part, sizeof(part), "/%.*s", (int)end, path);
		fd = rooted_open(root, part, O_PATH);
		if (fd == -ENOENT)
			return mend(root, path, at, end, type);
		if (fd < 0)
			return fd;
		close(fd);
	}
	return 1;
}

int rooted_make(int root, const char *given, mode_t type)
{
	char path[PATH_MAX];
	int steps = 0, rc = 0;

	if (strlen(given) >= sizeof(path))
		return -ENAMETOOLONG;
	strcpy(path, given);
	/* Each step makes a name or follows a link. */
	while (rc == 0) {
		if (++steps > LINKS_MAX + PATH_MAX / 2)
			return -ELOOP;
		rc = make_step(root, path, type);
	}
	return rc < 0 ? rc : rooted_open(root, given[0] ? given : "/", O_PATH);
}

static int read_all(int fd, struct buf *out)
{
	char piece[4096];
	ssize_t n;
	int rc = 0;

	do {
		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			rc = buf_append(out, piece, (size_t)n);
	} while (rc == 0 && (n > 0 || (n < 0 && errno == EINTR)));
	return rc < 0 ? rc : n < 0 ? -errno : 0;
}

int rooted_load(int root, const char *path, struct buf *out)
{
	int fd = rooted_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY), rc;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else
		rc = S_ISREG(st.st_mode) ? read_all(fd, out) : -EINVAL;
	close(fd);
	return rc;
}

int rooted_load_own(const char *path, struct buf *out)
{
	int rc, root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -errno;
	rc = rooted_load(root, path, out);
	close(root);
	return rc;
}
