/* SPDX-License-Identifier: MIT */
/*
 * The directory of a layer gets its rights last, so others see the layer when it is
 * complete.
 */
#include "base/store/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/store/files.h"
#include "base/store/internal.h"

/* documents/ALG/HEX, layers/ALG/HEX/index */
#define DEPTH_MAX 4

/* The minute of the last read of every span: the oldest one that means "there". */
#define SEALED_MINUTE 1

int store_reserve(struct store *s, struct err *e)
{
	if (flock(s->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(e, -EBUSY, "%s: another process exports to it", s->dir);
	return err_set(e, -errno, "%s cannot be locked: %s", s->dir, strerror(errno));
}

static int seal_rows(int fd)
{
	struct slot_row row, sealed;
	struct stat st;
	off_t at;
	int rc = fstat(fd, &st) < 0 ? -errno : 0;

	for (at = 0; rc == 0 && at + (off_t)sizeof(row) <= st.st_size;
	     at += sizeof(row)) {
		rc = fd_read_all(fd, &row, sizeof(row), (uint64_t)at);
		if (rc < 0)
			break;
		sealed = row.used ? row : (struct slot_row){0};
		if (row.used)
			sealed.used = SEALED_MINUTE;
		if (memcmp(&row, &sealed, sizeof(row)) != 0)
			rc = fd_write_all(fd, &sealed, sizeof(sealed), (uint64_t)at);
	}
	return rc;
}

static int seal_fd(int fd, mode_t mode)
{
	static const struct timespec times[2] = {{.tv_sec = 0}, {.tv_sec = 0}};

	if (fchmod(fd, mode) < 0 || futimens(fd, times) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

/* A process that has the lock is still at work. */
static void remove_lock(int dir)
{
	int fd = files_open(dir, "lock", O_RDWR);

	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(dir, "lock", 0);
	close(fd);
}

/* A file of a layer (@of_layer), a document or a note. */
static int seal_file(int dir, const char *name, bool of_layer, mode_t mode)
{
	struct stat st;
	int fd, rc = 0;

	if (of_layer && strcmp(name, "partial") == 0)
		return 0;
	fd = files_open(dir, name, O_RDWR);
	if (fd < 0)
		return fd;
	if (of_layer && strcmp(name, "spans") == 0)
		rc = seal_rows(fd);
	if (of_layer && strcmp(name, "data") == 0 && fstat(fd, &st) == 0 &&
	    st.st_size == 0)
		rc = unlinkat(dir, name, 0) < 0 ? -errno : 0; /* it was for its lock */
	else if (rc == 0)
		rc = seal_fd(fd, mode & 0666);
	close(fd);
	return rc;
}

static int seal_dir(int at, const char *name, unsigned depth, bool in_layers,
		    mode_t mode);

static int seal_entry(int dir, const struct dirent *entry, unsigned depth, bool in_layers,
		      mode_t mode)
{
	struct stat st;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode))
		return seal_dir(dir, entry->d_name, depth + 1, in_layers, mode);
	return S_ISREG(st.st_mode)
		       ? seal_file(dir, entry->d_name, in_layers && depth == 3, mode)
		       : 0;
}

static int seal_dir(int at, const char *name, unsigned depth, bool in_layers, mode_t mode)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW),
	    rc = 0;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0 || depth == DEPTH_MAX)
		goto out;
	if (in_layers && depth == 3) {
		remove_lock(fd);
		if (faccessat(fd, "index", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			goto out;
	}
	dir = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	if (!dir) {
		rc = -errno;
		goto out;
	}
	while (rc == 0 && (entry = readdir(dir)))
		rc = seal_entry(fd, entry, depth, in_layers, mode);
	closedir(dir);
	if (rc == 0)
		rc = seal_fd(fd, mode);
out:
	if (fd >= 0)
		close(fd);
	return rc;
}

int store_seal(struct store *s, struct err *e)
{
	static const char *const names[] = {"documents", "names", "layers"};
	struct stat st;
	size_t i;
	int rc = fstat(s->fd, &st) < 0 ? -errno : 0;

	for (i = 0; rc == 0 && i < 3; i++)
		rc = seal_dir(s->fd, names[i], 1, i == 2, st.st_mode & 0755);
	/* Another process may write there at this time, which is no harm. */
	(void)unlinkat(s->fd, "tmp", AT_REMOVEDIR);
	if (rc == 0 && fsync(s->fd) < 0)
		rc = -errno;
	return rc < 0 ? err_set(e, rc, "cannot finish the store %s: %s", s->dir,
				strerror(-rc))
		      : 0;
}
