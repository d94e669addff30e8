/* SPDX-License-Identifier: MIT */
#include "fs/ctl/setup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"

/* More backups than anybody keeps. */
#define BACKUPS_MAX 1000

static int fail(const char *what, const char *path, int code, struct err *e)
{
	return err_set(e, code, "cannot %s %s: %s", what, path, strerror(-code));
}

int setup_file_read(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
	struct stat st;
	void *room;

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 || fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > (off_t)out->max)
		rc = -EFBIG;
	else if (st.st_size > 0)
		rc = buf_reserve(out, (size_t)st.st_size, &room);
	if (rc == 0 && st.st_size > 0)
		rc = fd_read_all(fd, room, (size_t)st.st_size, 0);
	if (rc == 0 && st.st_size > 0)
		buf_advance(out, (size_t)st.st_size);
	if (fd >= 0)
		close(fd);
	return rc < 0 ? fail("read", path, rc, e) : 0;
}

int setup_file_make_dir(const char *path, struct err *e)
{
	char dir[PATH_MAX], *slash = dir;
	int rc = 0;

	if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir))
		return fail("create", path, -ENAMETOOLONG, e);
	do {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		rc = mkdir(dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
		/* The umask is for files that are this user's alone; others read these. */
		if (rc == 0 && errno != EEXIST)
			(void)chmod(dir, 0755);
		errno = 0;
		if (slash)
			*slash = '/';
	} while (slash && rc == 0);
	return rc < 0 ? fail("create", path, rc, e) : 0;
}

/* Another name for the old file, that no file has yet. */
static int keep(const char *path, char *backup, size_t size)
{
	int i, n, rc = -EEXIST;

	for (i = 0; rc == -EEXIST && i < BACKUPS_MAX; i++) {
		n = i == 0 ? snprintf(backup, size, "%s.bak", path)
			   : snprintf(backup, size, "%s.bak.%d", path, i);
		if (n < 0 || (size_t)n >= size)
			return -ENAMETOOLONG;
		rc = link(path, backup) < 0 ? -errno : 0;
	}
	return rc;
}

/* Writes the file @fd, which is to replace one of the attributes @old. */
static int fill(int fd, const struct buf *text, const struct stat *old)
{
	int rc = text->len > 0 ? fd_write_all(fd, text->data, text->len, 0) : 0;

	if (rc == 0 && fchmod(fd, old->st_mode & 07777) < 0)
		rc = -errno;
	if (rc == 0 && (old->st_uid != geteuid() || old->st_gid != getegid()) &&
	    fchown(fd, old->st_uid, old->st_gid) < 0)
		rc = -errno;
	return rc == 0 && fsync(fd) < 0 ? -errno : rc;
}

static int replace(const char *path, const struct buf *text, bool is_there,
		   const struct stat *old, char *backup, size_t size)
{
	char tmp[PATH_MAX];
	int fd, rc;

	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fill(fd, text, old);
	close(fd);
	if (rc == 0 && is_there)
		rc = keep(path, backup, size);
	if (rc == 0 && rename(tmp, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(tmp);
	return rc;
}

static int make_parent(const char *path, struct err *e)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 0, path);
	return dir[0] ? setup_file_make_dir(dir, e) : 0;
}

int setup_file_write(const char *path, const struct buf *text, char *backup, size_t size,
		     struct err *e)
{
	struct stat old = {.st_mode = 0644, .st_uid = geteuid(), .st_gid = getegid()};
	struct buf before;
	char *real;
	int rc;

	backup[0] = '\0';
	buf_init(&before, text->max);
	rc = setup_file_read(path, &before, e);
	if (rc == 0 && before.len == text->len &&
	    (text->len == 0 || memcmp(before.data, text->data, text->len) == 0)) {
		buf_release(&before);
		return 0;
	}
	buf_release(&before);
	if (rc == 1)
		rc = make_parent(path, e) < 0 ? -EIO : 1;
	if (rc < 0)
		return rc;
	real = rc == 0 ? realpath(path, NULL) : strdup(path);
	if (!real || (rc == 0 && stat(real, &old) < 0))
		rc = -errno;
	else
		rc = replace(real, text, rc == 0, &old, backup, size);
	free(real);
	return rc < 0 ? fail("write", path, rc, e) : 0;
}
