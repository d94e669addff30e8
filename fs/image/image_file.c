/* SPDX-License-Identifier: MIT */
/*
 * A file is the same as before if device, inode, size and times are. That says nothing about
 * a file that was written to a moment before it was read: its time stamp may be too coarse to
 * tell the next write. Such a file is read again, and its text is compared.
 */
#include "fs/image/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "fs/image/image_lines.h"

/* Longer than a step of any file system's time stamps. */
#define FRESH_SECONDS 3
/* Another program has the lock for the time of a write. */
#define LOCK_TRIES 100
#define LOCK_US	   50000

int image_file_init(struct image_file *f, const char *path, struct err *e)
{
	char here[PATH_MAX] = "";

	*f = (struct image_file){.path = NULL};
	buf_init(&f->text, IMAGE_LINES_TEXT_MAX);
	if (path[0] != '/' && !getcwd(here, sizeof(here)))
		return err_set(e, -errno, "%s: the current directory has no name: %s",
			       path, strerror(errno));
	if (asprintf(&f->path, "%s%s%s", here, here[0] ? "/" : "", path) < 0) {
		f->path = NULL;
		return err_set(e, -ENOMEM, "out of memory");
	}
	return 0;
}

void image_file_release(struct image_file *f)
{
	free(f->path);
	f->path = NULL;
	buf_release(&f->text);
}

/* READING */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_unchanged(const struct image_file *f, const struct stat *now)
{
	return f->was_read && !f->is_fresh && is_same_file(&f->seen, now) &&
	       f->seen.st_size == now->st_size &&
	       is_same_time(&f->seen.st_mtim, &now->st_mtim) &&
	       is_same_time(&f->seen.st_ctim, &now->st_ctim);
}

static bool is_fresh(const struct stat *st)
{
	time_t now = clock_realtime().tv_sec;

	return st->st_ino != 0 && st->st_mtim.tv_sec > now - FRESH_SECONDS;
}

/* Appends all of the open file to @out. */
static int read_text(int fd, struct buf *out)
{
	void *room;
	ssize_t n;
	int rc;

	do {
		rc = buf_reserve(out, 65536, &room);
		if (rc == -E2BIG)
			rc = buf_reserve(out, out->max - out->len, &room);
		if (rc < 0)
			return rc;
		n = read(fd, room,
			 out->max - out->len < 65536 ? out->max - out->len : 65536);
		if (n < 0)
			return -errno;
		buf_advance(out, (size_t)n);
	} while (n > 0 && out->len < out->max);
	return n > 0 && read(fd, &(char){0}, 1) != 0 ? -E2BIG : 0;
}

/* O_NONBLOCK: a FIFO must not stop the mount. */
static int open_regular(const char *path, int flags, struct stat *st)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600), rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0)
		rc = -errno;
	else if (!S_ISREG(st->st_mode))
		rc = -EINVAL;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

static int fail(const struct image_file *f, int code, const char *what, struct err *e)
{
	if (code == -EINVAL)
		return err_set(e, code, "%s is not a regular file", f->path);
	if (code == -E2BIG)
		return err_set(e, code, "%s has more than %u bytes", f->path,
			       IMAGE_LINES_TEXT_MAX);
	return err_set(e, code, "cannot %s %s: %s", what, f->path, strerror(-code));
}

int image_file_look(struct image_file *f, struct err *e)
{
	struct stat st = {.st_ino = 0};
	struct buf text;
	int fd = -1, rc = 0;

	if (stat(f->path, &st) < 0 && errno != ENOENT && errno != ENOTDIR)
		return fail(f, -errno, "read", e);
	if (is_unchanged(f, &st))
		return 0;
	buf_init(&text, IMAGE_LINES_TEXT_MAX);
	if (st.st_ino != 0) {
		fd = open_regular(f->path, O_RDONLY, &st);
		rc = fd < 0 ? fd : read_text(fd, &text);
	}
	if (fd >= 0)
		close(fd);
	if (rc < 0) {
		buf_release(&text);
		return fail(f, rc, "read", e);
	}
	rc = !f->was_read || text.len != f->text.len ||
	     (text.len > 0 && memcmp(text.data, f->text.data, text.len) != 0);
	buf_release(&f->text);
	f->text = text;
	f->seen = st;
	f->was_read = true;
	f->is_fresh = is_fresh(&st);
	return rc;
}

/* WRITING */

/*
 * Opens and locks the file that has the name once it is locked: another program may have
 * replaced it meanwhile. A descriptor or a negative errno.
 */
static int open_locked(const struct image_file *f, int flags)
{
	struct stat open_st, st;
	bool locked;
	int fd, i;

	for (i = 0; i < LOCK_TRIES; i++) {
		fd = open_regular(f->path, flags, &open_st);
		if (fd < 0)
			return fd;
		locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
		if (locked && stat(f->path, &st) == 0 && is_same_file(&st, &open_st))
			return fd;
		close(fd);
		if (!locked)
			usleep(LOCK_US);
	}
	return -EBUSY;
}

static bool is_line_of(const char *line, size_t len, const char *name)
{
	struct image_lines it = {.text = line, .len = len, .prefix = ""};
	char text[REFERENCE_TEXT_MAX];
	struct reference r;
	struct err e;

	return image_lines_next(&it, &r, &e) == 1 &&
	       strcmp(image_lines_name(&r, text), name) == 0;
}

/*
 * Copies the lines that are not of @name from @text to @out, unless that is NULL. The number
 * of the others, or -ENOMEM.
 */
static int drop_lines(const struct buf *text, const char *name, struct buf *out)
{
	size_t at = 0, len;
	const char *end;
	int n = 0, rc = 0;

	for (; rc == 0 && at < text->len; at += len) {
		end = memchr(text->data + at, '\n', text->len - at);
		len = end ? (size_t)(end - text->data) + 1 - at : text->len - at;
		if (is_line_of(text->data + at, len, name))
			n++;
		else if (out)
			rc = buf_append(out, text->data + at, len);
	}
	return rc < 0 ? rc : n;
}

/* With one write, so that no reader sees a part of it. */
static int append_line(int fd, const struct buf *text, const char *name)
{
	bool is_open = text->len > 0 && text->data[text->len - 1] != '\n';
	char line[REFERENCE_TEXT_MAX + 2];
	int len = snprintf(line, sizeof(line), "%s%s\n", is_open ? "\n" : "", name);
	ssize_t n;

	if (text->len + (size_t)len > IMAGE_LINES_TEXT_MAX)
		return -E2BIG;
	n = pwrite(fd, line, (size_t)len, (off_t)text->len);
	if (n == len && fsync(fd) == 0)
		return 0;
	n = n < 0 || n == len ? -errno : -ENOSPC;
	/* What is there of it would be taken for another reference. */
	return ftruncate(fd, (off_t)text->len) < 0 ? -errno : (int)n;
}

int image_file_add(struct image_file *f, const char *name, struct err *e)
{
	struct buf text;
	int fd = open_locked(f, O_RDWR | O_CREAT), rc = fd;

	buf_init(&text, IMAGE_LINES_TEXT_MAX);
	if (fd >= 0)
		rc = read_text(fd, &text);
	if (rc == 0)
		rc = drop_lines(&text, name, NULL);
	if (rc == 0)
		rc = append_line(fd, &text, name);
	buf_release(&text);
	if (fd >= 0)
		close(fd);
	return rc < 0 ? fail(f, rc, "write to", e) : 0;
}

/* @tmp: a new file beside @path, named so. It replaces it. */
static int replace(const char *tmp, const char *path, int fd, const struct stat *old,
		   const struct buf *text)
{
	int rc = text->len > 0 ? fd_write_all(fd, text->data, text->len, 0) : 0;
	struct stat st;

	if (rc == 0 && fstat(fd, &st) < 0)
		rc = -errno;
	if (rc == 0 && (st.st_uid != old->st_uid || st.st_gid != old->st_gid) &&
	    fchown(fd, old->st_uid, old->st_gid) < 0)
		rc = -errno;
	if (rc == 0 && (fchmod(fd, old->st_mode & 07777) < 0 || fsync(fd) < 0 ||
			rename(tmp, path) < 0))
		rc = -errno;
	return rc;
}

/* A symlink stays one: what it leads to is replaced. */
static int write_anew(const struct image_file *f, int old, const struct buf *text)
{
	char *path = realpath(f->path, NULL), *tmp = NULL;
	struct stat st;
	int fd = -1, rc = path && fstat(old, &st) == 0 ? 0 : -errno;

	if (rc == 0 && asprintf(&tmp, "%s.XXXXXX", path) < 0) {
		tmp = NULL;
		rc = -ENOMEM;
	}
	if (rc == 0 && (fd = mkostemp(tmp, O_CLOEXEC)) < 0)
		rc = -errno;
	if (rc == 0)
		rc = replace(tmp, path, fd, &st, text);
	if (rc < 0 && fd >= 0)
		unlink(tmp);
	if (fd >= 0)
		close(fd);
	free(tmp);
	free(path);
	return rc;
}

int image_file_remove(struct image_file *f, const char *name, struct err *e)
{
	struct buf text, rest;
	int fd = open_locked(f, O_RDWR), rc = fd, n = 0;

	buf_init(&text, IMAGE_LINES_TEXT_MAX);
	buf_init(&rest, IMAGE_LINES_TEXT_MAX);
	if (fd >= 0)
		rc = read_text(fd, &text);
	if (rc == 0)
		n = drop_lines(&text, name, &rest);
	if (n > 0)
		rc = write_anew(f, fd, &rest);
	buf_release(&text);
	buf_release(&rest);
	if (fd >= 0)
		close(fd);
	if (rc == -ENOENT || (rc == 0 && n == 0))
		return err_set(e, -ENOENT, "%s does not list %s", f->path, name);
	rc = rc < 0 ? rc : n;
	return rc < 0 ? fail(f, rc, "write to", e) : 0;
}
