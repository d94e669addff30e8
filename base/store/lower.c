/* SPDX-License-Identifier: MIT */
#include "base/store/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/store/files.h"
#include "base/store/internal.h"

/* RULE */

static bool is_trusted(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & 022);
}

/* Says once for each store that something in it is not used. */
static void lower_refuse(struct store *s, size_t k, const char *name, const char *why)
{
	struct err e;

	if (__atomic_exchange_n(&s->lower[k].is_refused, true, __ATOMIC_RELAXED))
		return;
	err_set(&e, 0, "the lower store %s: %s: %s; such files are not used",
		s->lower[k].dir, name, why);
	if (s->on_trouble)
		s->on_trouble(s->arg, e.text);
}

int lower_open_file(struct store *s, size_t k, int dir, const char *name)
{
	int fd = files_open(dir, name, O_RDONLY);
	struct stat st;

	if (fd == -EACCES || fd == -EPERM)
		lower_refuse(s, k, name, strerror(-fd));
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && is_trusted(&st))
		return fd;
	lower_refuse(s, k, name, "others than root and this user may write to it");
	close(fd);
	return -ENOENT;
}

int lower_open_folder(struct store *s, size_t k, const char *path)
{
	int fd = openat(s->lower[k].fd, path,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == EACCES)
		lower_refuse(s, k, path, strerror(EACCES));
	return fd < 0 ? -ENOENT : fd;
}

/* STORES */

static int check_dir(int fd, const char *dir, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "cannot stat %s: %s", dir, strerror(errno));
	if (is_trusted(&st))
		return files_is_store(fd)
			       ? 0
			       : err_set(e, -ENOENT, "%s: not a store of peelfs", dir);
	if (st.st_mode & 022)
		return err_set(e, -EACCES, "others than its owner may write to %s", dir);
	return err_set(e, -EACCES, "%s belongs neither to root nor to this user", dir);
}

static bool is_known(const struct store *s, int fd)
{
	struct stat st, other;
	size_t k;

	if (fstat(fd, &st) < 0)
		return false;
	for (k = 0; k <= s->n_lower; k++) {
		int at = k < s->n_lower ? s->lower[k].fd : s->fd;

		if (at >= 0 && fstat(at, &other) == 0 && other.st_dev == st.st_dev &&
		    other.st_ino == st.st_ino)
			return true;
	}
	return false;
}

int store_add_lower(struct store *s, const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	char *path;

	if (fd < 0)
		return err_set(e, -errno, "cannot read the lower store %s: %s", dir,
			       strerror(errno));
	rc = is_known(s, fd) ? -EALREADY : check_dir(fd, dir, e);
	if (rc < 0) {
		close(fd);
		return rc == -EALREADY ? 0 : rc;
	}
	path = realpath(dir, NULL);
	if (!path || s->n_lower == LOWER_MAX) {
		close(fd);
		rc = path ? -E2BIG : -ENOMEM;
		free(path);
		return err_set(e, rc, "%s: %s", dir,
			       rc == -E2BIG ? "too many lower stores" : "out of memory");
	}
	s->lower[s->n_lower++] = (struct lower){.dir = path, .fd = fd};
	return 0;
}

void lower_close_all(struct store *s)
{
	while (s->n_lower > 0) {
		s->n_lower--;
		close(s->lower[s->n_lower].fd);
		free(s->lower[s->n_lower].dir);
	}
}

size_t store_n_lower(const struct store *s)
{
	return s->n_lower;
}

const char *store_lower_dir(const struct store *s, size_t k)
{
	return s->lower[k].dir;
}

void store_copy_lower(struct store *s)
{
	s->copies_lower = true;
}

bool store_copies_lower(const struct store *s)
{
	return s->copies_lower;
}
