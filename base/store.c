/* SPDX-License-Identifier: MIT */
#include "base/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/storefile.h"

#define NOTE_MAX      4096
#define STALE_SECONDS 3600
#define LOCK_POLL_NS \
	50000000 /* how soon a waiter sees that it may go on, or should stop */
#define LIMIT_DEFAULT ((uint64_t)10 << 30)

struct slot {
	struct store *store;   /* borrowed */
	int dir;	       /* of layers/ALG/HEX; -1 if private */
	int lock;	       /* -1 until locked */
	int data;	       /* -1 until asked for */
	int guard;	       /* `data` again, where it is locked and not used; -1 */
	struct slot_row *rows; /* of `spans`, mapped */
	size_t n_rows;
	pthread_mutex_t mutex; /* guards data while it is set up */
};

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
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *dir = NULL;
	int rc;

	if (cache && cache[0] == '/')
		rc = asprintf(&dir, "%s/peelfs", cache);
	else if (geteuid() == 0)
		rc = asprintf(&dir, "/var/cache/peelfs");
	else if (home && home[0] == '/')
		rc = asprintf(&dir, "%s/.cache/peelfs", home);
	else
		rc = asprintf(&dir, "/tmp/peelfs-%u", (unsigned)geteuid());
	return rc < 0 ? NULL : dir;
}

/* A directory below @at, made if missing; each part of @path is one level. */
static int open_below(int at, const char *path)
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
static int check_owner(int fd, const char *dir, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "cannot stat %s: %s", dir, strerror(errno));
	if (st.st_uid != geteuid())
		return err_set(e, -EACCES, "%s belongs to another user", dir);
	if (st.st_mode & 022)
		return err_set(e, -EACCES, "others than its owner may write to %s", dir);
	return 0;
}

static void clean_tmp(struct store *s);

int store_open(const char *dir, struct store **out, struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->fd = s->tmp = -1;
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
	rc = check_owner(s->fd, s->dir, e);
	if (rc < 0)
		goto fail;
	s->tmp = open_below(s->fd, "tmp");
	if (s->tmp < 0) {
		rc = err_set(e, s->tmp, "cannot write to the cache %s: %s", s->dir,
			     strerror(-s->tmp));
		goto fail;
	}
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

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
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

/*
 * A private store has its files where long-lived temporary ones go, for a layer is too
 * large for memory.
 */
int store_new_file(struct store *s)
{
	const char *path = getenv("TMPDIR");
	int dir, fd;

	if (s->dir)
		return new_unnamed(s->tmp);
	dir = open(path && *path ? path : "/var/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	fd = new_unnamed(dir);
	close(dir);
	return fd;
}

/* An index is small enough for memory, where there is no better place. */
static int new_index_file(struct store *s)
{
	int fd = store_new_file(s);

	if (fd >= 0)
		return fd;
	fd = memfd_create("peelfs-index", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Left in tmp/ by a process that was killed between a link and a rename. */
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
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
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

static int put_file(struct store *s, const char *folder, const char *name,
		    const void *data, size_t len)
{
	int dir = -1, fd, rc;

	if (!s->dir)
		return -ENOENT;
	fd = store_new_file(s);
	if (fd < 0)
		return fd;
	rc = write_all(fd, data, len);
	if (rc == 0)
		rc = dir = open_below(s->fd, folder);
	if (dir >= 0)
		rc = give_name(s, fd, dir, name);
	if (dir >= 0)
		close(dir);
	close(fd);
	return rc;
}

static int get_file(struct store *s, const char *folder, const char *name, size_t max,
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

static void documents_folder(const struct digest *d, char *out, size_t size)
{
	snprintf(out, size, "documents/%s", digest_alg_name(d->alg));
}

int store_get_document(struct store *s, const struct digest *d, size_t max,
		       struct buf *out)
{
	char folder[32], hex[DIGEST_TEXT_MAX];
	struct digest have;
	int rc;

	documents_folder(d, folder, sizeof(folder));
	rc = get_file(s, folder, digest_hex(d, hex), max, out);
	if (rc == 0)
		rc = digest_of(d->alg, buf_text(out), out->len, &have);
	if (rc == 0 && !digest_equal(d, &have))
		rc = -ENOENT;
	if (rc < 0)
		buf_clear(out);
	return rc == -ENOMEM ? rc : rc < 0 ? -ENOENT : 0;
}

int store_put_document(struct store *s, const struct digest *d, const void *data,
		       size_t len)
{
	char folder[32], hex[DIGEST_TEXT_MAX];

	documents_folder(d, folder, sizeof(folder));
	return put_file(s, folder, digest_hex(d, hex), data, len);
}

static int hex_of(const char *text, size_t len, char *hex)
{
	struct digest d;
	int rc = digest_of(DIGEST_SHA256, text, len, &d);

	if (rc == 0)
		digest_hex(&d, hex);
	return rc;
}

/*
 * A note's file is the SHA-256, in hex, of what follows it: the file's own name, a newline,
 * the note.
 */
#define HEX_LEN	  64
#define NOTE_HEAD (2 * HEX_LEN + 1)

static int get_note(struct store *s, const char *file, struct buf *out)
{
	char hex[DIGEST_TEXT_MAX];
	struct buf content;
	int rc;

	buf_init(&content, NOTE_HEAD + NOTE_MAX);
	rc = get_file(s, "names", file, content.max, &content);
	if (rc == 0 && content.len < NOTE_HEAD)
		rc = -ENOENT;
	if (rc == 0)
		rc = hex_of(content.data + HEX_LEN, content.len - HEX_LEN, hex);
	if (rc == 0 && (memcmp(content.data, hex, HEX_LEN) ||
			memcmp(content.data + HEX_LEN, file, HEX_LEN)))
		rc = -ENOENT;
	if (rc == 0)
		rc = buf_append(out, content.data + NOTE_HEAD, content.len - NOTE_HEAD);
	buf_release(&content);
	return rc;
}

int store_get_note(struct store *s, const char *name, struct buf *out)
{
	char file[DIGEST_TEXT_MAX];
	int rc = hex_of(name, strlen(name), file);

	return rc < 0 ? rc : get_note(s, file, out);
}

int store_put_note(struct store *s, const char *name, const char *text)
{
	char file[DIGEST_TEXT_MAX], hex[DIGEST_TEXT_MAX];
	struct buf rest, all;
	int rc = hex_of(name, strlen(name), file);

	if (rc < 0)
		return rc;
	if (strlen(text) > NOTE_MAX)
		return -E2BIG;
	buf_init(&rest, NOTE_HEAD + NOTE_MAX);
	buf_init(&all, NOTE_HEAD + NOTE_MAX);
	rc = buf_printf(&rest, "%s\n%s", file, text);
	if (rc == 0)
		rc = hex_of(rest.data, rest.len, hex);
	if (rc == 0)
		rc = buf_printf(&all, "%s%s", hex, rest.data);
	if (rc == 0)
		rc = put_file(s, "names", file, all.data, all.len);
	buf_release(&rest);
	buf_release(&all);
	return rc;
}

/* Checking documents and notes */

/* 0, or -ENOENT for what is damaged. @alg is NULL for notes. */
static int check_file(struct store *s, const char *alg, const char *name)
{
	char text[DIGEST_TEXT_MAX];
	struct digest digest;
	struct buf content;
	int rc, len = snprintf(text, sizeof(text), "%s:%s", alg ? alg : "sha256", name);

	if (len >= (int)sizeof(text) || digest_parse(text, (size_t)len, &digest) < 0)
		return 0; /* none of ours */
	buf_init(&content, SIZE_MAX / 2);
	if (alg)
		rc = store_get_document(s, &digest, content.max, &content);
	else
		rc = get_note(s, name, &content);
	buf_release(&content);
	return rc;
}

static int check_folder(struct store *s, const char *folder, const char *alg,
			unsigned *bad)
{
	int fd = openat(s->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (rc == 0 && (entry = readdir(dir))) {
		rc = check_file(s, alg, entry->d_name);
		if (rc != -ENOENT)
			continue;
		(void)unlinkat(fd, entry->d_name, 0);
		++*bad;
		rc = 0;
	}
	closedir(dir);
	return rc;
}

int store_check_documents(struct store *s, unsigned *bad)
{
	static const enum digest_alg algs[] = {DIGEST_SHA256, DIGEST_SHA384,
					       DIGEST_SHA512};
	char folder[32];
	size_t i;
	int rc = 0;

	if (!s->dir)
		return 0;
	for (i = 0; rc == 0 && i < sizeof(algs) / sizeof(algs[0]); i++) {
		const char *alg = digest_alg_name(algs[i]);

		snprintf(folder, sizeof(folder), "documents/%s", alg);
		rc = check_folder(s, folder, alg, bad);
	}
	return rc < 0 ? rc : check_folder(s, "names", NULL, bad);
}

/* Slots */

int store_slot(struct store *s, const struct digest *layer, struct slot **out)
{
	char path[16 + DIGEST_TEXT_MAX], hex[DIGEST_TEXT_MAX];
	struct slot *sl = calloc(1, sizeof(*sl));
	int rc;

	if (!sl)
		return -ENOMEM;
	sl->store = s;
	sl->dir = sl->lock = sl->data = sl->guard = -1;
	rc = -pthread_mutex_init(&sl->mutex, NULL);
	if (rc < 0) {
		free(sl);
		return rc;
	}
	if (s->dir) {
		snprintf(path, sizeof(path), "layers/%s/%s", digest_alg_name(layer->alg),
			 digest_hex(layer, hex));
		sl->dir = open_below(s->fd, path);
		if (sl->dir < 0) /* a full disk: the layer must do without, not fail */
			sl->dir = -1;
	}
	*out = sl;
	return 0;
}

void slot_forget(struct slot *sl)
{
	if (sl->rows)
		munmap(sl->rows, sl->n_rows * sizeof(*sl->rows));
	sl->rows = NULL;
	sl->n_rows = 0;
	if (sl->data >= 0)
		close(sl->data);
	if (sl->guard >= 0)
		close(sl->guard);
	sl->data = sl->guard = -1;
}

void slot_close(struct slot *sl)
{
	if (!sl)
		return;
	slot_forget(sl);
	if (sl->lock >= 0)
		close(sl->lock);
	if (sl->dir >= 0)
		close(sl->dir);
	pthread_mutex_destroy(&sl->mutex);
	free(sl);
}

int slot_lock(struct slot *sl, const bool *cancelled)
{
	static const struct timespec pause = {.tv_nsec = LOCK_POLL_NS};

	if (sl->dir < 0)
		return 0;
	sl->lock = store_open_file(sl->dir, "lock", O_RDWR | O_CREAT);
	if (sl->lock < 0) { /* no room even for that: two may do the work of one */
		sl->lock = -1;
		return 0;
	}
	/* Asked again and again, for a flock() that waits cannot be called off. */
	while (flock(sl->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return 0;
		if (cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED))
			return -EINTR;
		nanosleep(&pause, NULL);
	}
	return 0;
}

void slot_unlock(struct slot *sl)
{
	if (sl->lock >= 0)
		close(sl->lock);
	sl->lock = -1;
}

int slot_open_index(struct slot *sl)
{
	return sl->dir < 0 ? -ENOENT : store_open_file(sl->dir, "index", O_RDONLY);
}

bool slot_has_index(const struct slot *sl, const struct stat *st)
{
	struct stat now;

	return sl->dir >= 0 &&
	       fstatat(sl->dir, "index", &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

void slot_drop(struct slot *sl)
{
	if (sl->dir < 0)
		return;
	(void)unlinkat(sl->dir, "index", 0);
	(void)unlinkat(sl->dir, "data", 0);
	(void)unlinkat(sl->dir, "spans", 0);
}

int slot_new_index(struct slot *sl)
{
	return new_index_file(sl->store);
}

int slot_publish_index(struct slot *sl, int fd)
{
	return sl->dir < 0 ? 0 : give_name(sl->store, fd, sl->dir, "index");
}

static int open_data(struct slot *sl)
{
	int fd;

	if (sl->guard >= 0)
		return -ENOENT;
	if (sl->dir < 0)
		return sl->store->keeps_no_data ? -ENOENT : store_new_file(sl->store);
	fd = store_open_file(sl->dir, "data", O_RDWR | O_CREAT);
	if (fd < 0)
		return fd;
	/* Waits at most for an eviction that is at it. */
	while (flock(fd, LOCK_SH) < 0) {
		if (errno != EINTR) {
			close(fd);
			return -errno;
		}
	}
	if (!sl->store->keeps_no_data)
		return fd;
	sl->guard = fd; /* empty, but what keeps the index from being evicted */
	return -ENOENT;
}

int slot_data(struct slot *sl)
{
	int rc;

	pthread_mutex_lock(&sl->mutex);
	if (sl->data < 0) {
		rc = open_data(sl);
		if (rc >= 0)
			sl->data = rc;
	} else {
		rc = sl->data;
	}
	pthread_mutex_unlock(&sl->mutex);
	return rc;
}

int slot_map(struct slot *sl, size_t n)
{
	size_t len = n * sizeof(*sl->rows);
	void *map;
	int fd, rc;

	if (sl->rows)
		munmap(sl->rows, sl->n_rows * sizeof(*sl->rows));
	sl->rows = NULL;
	sl->n_rows = 0;
	if (len == 0)
		return 0;
	if (sl->dir < 0)
		fd = new_index_file(sl->store);
	else
		fd = store_open_file(sl->dir, "spans", O_RDWR | O_CREAT);
	if (fd < 0)
		return fd;
	/* Room on the disk first: a write to a mapped hole of a full one is a SIGBUS. */
	rc = -posix_fallocate(fd, 0, (off_t)len);
	if (rc == 0) {
		map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED) {
			rc = -errno;
		} else {
			sl->rows = map;
			sl->n_rows = n;
		}
	}
	close(fd);
	return rc;
}

/* Minutes since the epoch; 0 means "not there". */
static uint32_t this_minute(void)
{
	return (uint32_t)(time(NULL) / 60);
}

bool slot_has_map(const struct slot *sl)
{
	return sl->n_rows > 0;
}

bool slot_is_filled(const struct slot *sl, size_t i)
{
	return i < sl->n_rows &&
	       __atomic_load_n(&sl->rows[i].used, __ATOMIC_ACQUIRE) != 0;
}

void slot_set_filled(struct slot *sl, size_t i, uint64_t off, uint32_t len)
{
	if (i >= sl->n_rows)
		return;
	if (len > 0) {
		__atomic_store_n(&sl->rows[i].off, off, __ATOMIC_RELAXED);
		__atomic_store_n(&sl->rows[i].len, len, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&sl->rows[i].used, len > 0 ? this_minute() : 0,
			 __ATOMIC_RELEASE);
}

bool slot_is_sound(const struct slot *sl, size_t i, uint64_t off, uint32_t len)
{
	const struct slot_row *row = &sl->rows[i];

	return __atomic_load_n(&row->off, __ATOMIC_RELAXED) == off &&
	       __atomic_load_n(&row->len, __ATOMIC_RELAXED) == len && row->zero == 0 &&
	       __atomic_load_n(&row->used, __ATOMIC_RELAXED) <= this_minute();
}

void slot_set_word(struct slot *sl, size_t i, uint32_t word)
{
	if (i < sl->n_rows)
		__atomic_store_n(&sl->rows[i].word, word, __ATOMIC_RELAXED);
}

uint32_t slot_word(const struct slot *sl, size_t i)
{
	return i < sl->n_rows ? __atomic_load_n(&sl->rows[i].word, __ATOMIC_RELAXED) : 0;
}

void slot_touch(struct slot *sl, size_t i)
{
	uint32_t now = this_minute();

	if (slot_is_filled(sl, i) &&
	    __atomic_load_n(&sl->rows[i].used, __ATOMIC_RELAXED) != now)
		__atomic_store_n(&sl->rows[i].used, now, __ATOMIC_RELAXED);
}
