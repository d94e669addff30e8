/* SPDX-License-Identifier: MIT */
#include "base/store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/home.h"
#include "base/store/files.h"
#include "base/store/internal.h"
#include "base/store/lower.h"

#define LIMIT_DEFAULT	 ((uint64_t)10 << 30)
#define PATIENCE_DEFAULT 60

/* Opening and closing */

/*
 * Whether root here is an ordinary user outside: `podman unshare` and the like. The cache of the
 * machine is not this user's to write then.
 */
static bool is_root_of_a_user(void)
{
	FILE *f = fopen("/proc/self/uid_map", "re");
	unsigned long inside = 0, outside = 0;
	bool is = f && fscanf(f, "%lu %lu", &inside, &outside) == 2 && inside == 0 &&
		  outside != 0;

	if (f)
		fclose(f);
	return is;
}

char *store_default_dir(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = home_dir();
	char *dir = NULL;
	int rc;

	if (cache && cache[0] == '/')
		rc = asprintf(&dir, "%s/peelfs", cache);
	else if (geteuid() == 0 && !is_root_of_a_user())
		rc = asprintf(&dir, "/var/cache/peelfs");
	else if (home[0] == '/' && home[1] && access(home, X_OK) == 0)
		rc = asprintf(&dir, "%s/.cache/peelfs", home);
	else
		rc = asprintf(&dir, "/tmp/peelfs-%u", (unsigned)geteuid());
	return rc < 0 ? NULL : dir;
}

/*
 * A directory that others could write to is refused, not repaired: its content may be
 * theirs already, or the directory may be /tmp.
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

int store_open_private(struct store **out, struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->fd = s->tmp = -1;
	s->limit = LIMIT_DEFAULT;
	s->patience = PATIENCE_DEFAULT;
	pthread_mutex_init(&s->held_lock, NULL);
	pthread_mutex_init(&s->partials_lock, NULL);
	*out = s;
	return 0;
}

static int open_dir(struct store *s, bool create, struct err *e)
{
	int rc = create ? files_make_path(s->dir) : 0;

	if (rc == 0) {
		s->fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = s->fd < 0 ? -errno : 0;
	}
	if (rc < 0)
		return err_set(e, rc, "cannot use %s as the store: %s", s->dir,
			       strerror(-rc));
	rc = check_owner(s->fd, s->dir, "", e);
	if (rc < 0)
		return rc;
	if (!create && !files_is_store(s->fd))
		return err_set(e, -ENOENT, "%s: not a store of peelfs", s->dir);
	s->tmp = files_open_below(s->fd, "tmp");
	if (s->tmp < 0)
		return err_set(e, s->tmp, "cannot write to the store %s: %s", s->dir,
			       strerror(-s->tmp));
	/* An empty one is known as a store, too: files_is_store(). */
	if (create)
		(void)mkdirat(s->fd, "documents", 0700);
	rc = check_owner(s->tmp, s->dir, "/tmp", e);
	if (rc == 0)
		files_clean(s->tmp);
	return rc;
}

static int open_in(char *dir, bool create, struct store **out, struct err *e)
{
	struct store *s = NULL;
	int rc = dir ? store_open_private(&s, e) : err_set(e, -ENOMEM, "out of memory");

	if (rc < 0) {
		free(dir);
		return rc;
	}
	s->dir = dir;
	rc = open_dir(s, create, e);
	if (rc < 0) {
		store_close(s);
		return rc;
	}
	/* The path is shown to processes in other directories. */
	dir = realpath(s->dir, NULL);
	if (dir) {
		free(s->dir);
		s->dir = dir;
	}
	*out = s;
	return 0;
}

int store_open(const char *dir, struct store **out, struct err *e)
{
	return open_in(dir ? strdup(dir) : store_default_dir(), true, out, e);
}

int store_open_existing(const char *dir, struct store **out, struct err *e)
{
	return open_in(strdup(dir), false, out, e);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	lower_close_all(s);
	if (s->fd >= 0)
		close(s->fd);
	if (s->tmp >= 0)
		close(s->tmp);
	pthread_mutex_destroy(&s->held_lock);
	pthread_mutex_destroy(&s->partials_lock);
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

bool store_keeps_data(const struct store *s)
{
	return !s->keeps_no_data;
}

void store_set_patience(struct store *s, unsigned seconds)
{
	s->patience = seconds ? seconds : PATIENCE_DEFAULT;
}

const char *store_dir(const struct store *s)
{
	return s->dir;
}

/* Trouble */

void store_on_trouble(struct store *s, void (*fn)(void *arg, const char *sentence),
		      void *arg)
{
	s->on_trouble = fn;
	s->arg = arg;
}

int store_trouble(const struct store *s, struct err *e)
{
	int rc = __atomic_load_n(&s->trouble, __ATOMIC_RELAXED);

	if (rc == 0)
		return 0;
	if (rc == -ENOSPC)
		return err_set(e, rc,
			       "the store %s is full; data that does not fit is fetched "
			       "again when needed",
			       s->dir);
	return err_set(e, rc,
		       "cannot write to the store %s: %s; data that is not stored is "
		       "fetched again when needed",
		       s->dir, strerror(-rc));
}

/* -EISDIR is about a single name, which something else occupies. */
void store_note_trouble(struct store *s, int code)
{
	struct err e = {""};
	int none = 0;

	if (!s->dir || code == -EISDIR ||
	    !__atomic_compare_exchange_n(&s->trouble, &none, code, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	(void)store_trouble(s, &e);
	if (s->on_trouble)
		s->on_trouble(s->arg, e.text);
}

/* Files */

int store_new_file(struct store *s)
{
	int fd = s->dir ? files_new_unnamed(s->tmp) : files_new_temporary();

	if (fd < 0)
		store_note_trouble(s, fd);
	return fd;
}

int store_new_index(struct store *s)
{
	int fd = store_new_file(s);

	if (fd >= 0)
		return fd;
	fd = memfd_create("peelfs-index", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int store_give_name(struct store *s, int fd, int dir, const char *name)
{
	int rc = files_give_name(s->tmp, fd, dir, name);

	if (rc < 0)
		store_note_trouble(s, rc);
	return rc;
}
