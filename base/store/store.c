/* SPDX-License-Identifier: MIT */
#include "base/store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/home.h"
#include "base/store/internal.h"

#define STALE_SECONDS 3600
#define LIMIT_DEFAULT ((uint64_t)10 << 30)

/* Directories */

static int make_path(const char *path)
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

static char *default_dir(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = home_dir();
	char *dir = NULL;
	int rc;

	if (cache && cache[0] == '/')
		rc = asprintf(&dir, "%s/peelfs", cache);
	else if (geteuid() == 0)
		rc = asprintf(&dir, "/var/cache/peelfs");
	else if (home[0] == '/' && home[1])
		rc = asprintf(&dir, "%s/.cache/peelfs", home);
	else
		rc = asprintf(&dir, "/tmp/peelfs-%u", (unsigned)geteuid());
	return rc < 0 ? NULL : dir;
}

int store_open_below(int at, const char *path)
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

/*
 * The bytes in the store are shown as a layer's after no more than a checksum, so
 * nobody else may be able to write them. A directory that others could write to is
 * refused and not mended: what is in it may be theirs, or it may be /tmp.
 */
static int check_owner(int fd, const char *dir, const char *below, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "cannot stat %s%s: %s", dir, below,
			       strerror(errno));
	if (st.st_uid != geteuid())
		return err_set(e, -EACCES, "%s%s belongs to another user", dir, below);
	if (st.st_mode & 022)
		return err_set(e, -EACCES, "others than its owner may write to %s%s", dir,
			       below);
	return 0;
}

bool store_is_at(const char *dir)
{
	static const char *const names[] = {"documents", "layers"};
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool found = false;
	struct stat st;
	size_t i;

	for (i = 0; i < 2 && fd >= 0; i++) {
		if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			found = true;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

static void clean_tmp(struct store *s);

int store_open(const char *dir, struct store **out, struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->fd = s->tmp = -1;
	pthread_mutex_init(&s->held_lock, NULL);
	s->dir = dir ? strdup(dir) : default_dir();
	if (!s->dir) {
		rc = -ENOMEM;
		goto fail;
	}
	rc = make_path(s->dir);
	if (rc == 0) {
		s->fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = s->fd < 0 ? -errno : 0;
	}
	if (rc < 0) {
		err_set(e, rc, "cannot use %s as the cache: %s", s->dir, strerror(-rc));
		goto fail;
	}
	rc = check_owner(s->fd, s->dir, "", e);
	if (rc < 0)
		goto fail;
	s->tmp = store_open_below(s->fd, "tmp");
	if (s->tmp < 0) {
		rc = err_set(e, s->tmp, "cannot write to the cache %s: %s", s->dir,
			     strerror(-s->tmp));
		goto fail;
	}
	rc = check_owner(s->tmp, s->dir, "/tmp", e);
	if (rc < 0)
		goto fail;
	clean_tmp(s);
	s->limit = LIMIT_DEFAULT;
	*out = s;
	return 0;
fail:
	store_close(s);
	return rc;
}

int store_open_private(struct store **out, struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->fd = s->tmp = -1;
	pthread_mutex_init(&s->held_lock, NULL);
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	if (s->tmp >= 0)
		close(s->tmp);
	pthread_mutex_destroy(&s->held_lock);
	free(s->dir);
	free(s);
}

void store_set_limit(struct store *s, uint64_t limit)
{
	s->limit = limit ? limit : LIMIT_DEFAULT;
}

void store_keep_no_data(struct store *s)
{
	s->keeps_no_data = true;
}

const char *store_dir(const struct store *s)
{
	return s->dir;
}

int store_open_file(int dir, const char *name, int flags)
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

/* Whole small files */

static int read_file(int dir, const char *name, size_t max, struct buf *out)
{
	int fd = store_open_file(dir, name, O_RDONLY), rc = 0;
	struct stat st;
	ssize_t n = 1;
	void *to;

	if (fd < 0)
		return fd;
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

#define RANDOM_NAME 17

/*
 * Not made of our pid: processes that share a store may have the same one, each in a
 * container of its own.
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

/* An unnamed file in @dir: it costs nothing to lose it. */
static int new_unnamed(int dir)
{
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char name[RANDOM_NAME];

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd < 0 ? -errno : fd;
	/* NFS, and overlayfs of old: a named one, that loses its name. */
	if (random_name(name) < 0)
		return -EAGAIN;
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)unlinkat(dir, name, 0);
	return fd;
}

/* Where long-lived temporary files go, for a layer is too large for memory. */
static int new_temporary(void)
{
	const char *path = getenv("TMPDIR");
	int dir, fd;

	dir = open(path && *path ? path : "/var/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	fd = new_unnamed(dir);
	close(dir);
	return fd;
}

int store_new_file(struct store *s)
{
	int fd = s->dir ? new_unnamed(s->tmp) : new_temporary();

	if (fd < 0)
		store_note_trouble(s, fd);
	return fd;
}

/*
 * Takes @fd, which may be an error. Of a quota, or of who fills the disk meanwhile, the
 * first write would tell too late. A disk that cannot do this is believed.
 */
static int reserve(int fd, uint64_t size)
{
	int rc;

	if (fd < 0 || size == 0 || fallocate(fd, 0, 0, (off_t)size) == 0)
		return fd;
	rc = -errno;
	if (rc != -ENOSPC && rc != -EDQUOT)
		return fd;
	close(fd);
	return rc;
}

int store_new_copy(struct store *s, uint64_t size)
{
	int fd = -ENOSPC;

	if (size > INT64_MAX)
		return -EFBIG;
	if (store_make_room(s, size))
		fd = reserve(store_new_file(s), size);
	return fd < 0 && s->dir ? reserve(new_temporary(), size) : fd;
}

/* An index is small enough for memory, where there is no better place. */
int store_new_index(struct store *s)
{
	int fd = store_new_file(s);

	if (fd >= 0)
		return fd;
	fd = memfd_create("peelfs-index", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * Left in tmp/ by a process that was killed between a link and a rename. Whoever names a
 * directory of another use as the cache may have a tmp/ there: what is not named as ours
 * are is not touched.
 */
static void clean_tmp(struct store *s)
{
	time_t old = time(NULL) - STALE_SECONDS;
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int fd = openat(s->tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

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

/* All of @fd in a new file @name in @dir, on the disk. */
static int copy_file(int fd, int dir, const char *name)
{
	int to = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc = 0;
	off_t off = 0;
	ssize_t n;

	if (to < 0)
		return -errno;
	do {
		n = sendfile(to, fd, &off, 1 << 30);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 || fsync(to) < 0)
		rc = -errno;
	close(to);
	if (rc < 0)
		(void)unlinkat(dir, name, 0);
	return rc;
}

/*
 * Gives @fd the name @name in @dir, in place of what has it: linkat() cannot replace,
 * so the new file gets a name in tmp/ first, and rename() does the rest. What has no
 * place on this disk, or lost its name on the way, is copied.
 */
static int give_name(struct store *s, int fd, int dir, const char *name)
{
	char self[64], tmp[RANDOM_NAME];
	int rc = random_name(tmp);

	if (rc < 0)
		return rc;
	if (fsync(fd) < 0)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, s->tmp, tmp, AT_SYMLINK_FOLLOW) < 0)
		rc = copy_file(fd, s->tmp, tmp);
	if (rc < 0)
		return rc;
	if (renameat(s->tmp, tmp, dir, name) < 0) {
		rc = -errno;
		(void)unlinkat(s->tmp, tmp, 0);
	} else if (fsync(dir) < 0) {
		rc = -errno;
	}
	return rc;
}

int store_give_name(struct store *s, int fd, int dir, const char *name)
{
	int rc = give_name(s, fd, dir, name);

	if (rc < 0)
		store_note_trouble(s, rc);
	return rc;
}

int store_put_file(struct store *s, const char *folder, const char *name,
		   const void *data, size_t len)
{
	int dir = -1, fd, rc;

	if (!s->dir)
		return -ENOENT;
	fd = store_new_file(s);
	if (fd < 0)
		return fd;
	rc = fd_write_all(fd, data, len, 0);
	if (rc == 0)
		rc = dir = store_open_below(s->fd, folder);
	if (dir >= 0)
		rc = store_give_name(s, fd, dir, name);
	if (dir >= 0)
		close(dir);
	close(fd);
	if (rc < 0)
		store_note_trouble(s, rc);
	return rc;
}

int store_get_file(struct store *s, const char *folder, const char *name, size_t max,
		   struct buf *out)
{
	int dir, rc;

	if (!s->dir)
		return -ENOENT;
	dir = openat(s->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -ENOENT;
	rc = read_file(dir, name, max, out);
	close(dir);
	return rc;
}
