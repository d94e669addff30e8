/* SPDX-License-Identifier: MIT */
#include "base/store/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/store/files.h"
#include "base/store/internal.h"
#include "base/store/partial.h"
#include "base/store/store.h"

#define LOCK_POLL_MS 50	 /* how soon a waiter sees that it may go on, or should stop */
#define SIGN_MS	     250 /* progress is shown no more often */
#define COMPARE_PART 65536

/*
 * A holder may itself wait for the network as long as we wait for the holder. In this
 * time it notices its own timeout and gives the lock back.
 */
#define PATIENCE_MORE_MS 2000

int slot_open(struct store *s, const struct digest *layer, struct slot **out)
{
	char path[16 + DIGEST_TEXT_MAX], hex[DIGEST_TEXT_MAX];
	struct slot *sl = calloc(1, sizeof(*sl));
	int rc;

	if (!sl)
		return -ENOMEM;
	sl->store = s;
	sl->layer = *layer;
	sl->dir = sl->lock = sl->data = sl->guard = -1;
	rc = -pthread_mutex_init(&sl->mutex, NULL);
	if (rc < 0) {
		free(sl);
		return rc;
	}
	if (s->dir) {
		snprintf(path, sizeof(path), "layers/%s/%s", digest_alg_name(layer->alg),
			 digest_hex(layer, hex));
		sl->dir = files_open_below(s->fd, path);
		if (sl->dir < 0) { /* a full disk must not make the layer fail */
			store_note_trouble(s, sl->dir);
			sl->dir = -1;
		}
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
	slot_unlock(sl);
	if (sl->dir >= 0)
		close(sl->dir);
	pthread_mutex_destroy(&sl->mutex);
	free(sl);
}

/* The lock */

/*
 * Polls, because a blocking flock() cannot be cancelled. -ETIMEDOUT if the file's mtime
 * has not changed for too long. That time is counted in our own sleeps, so a process
 * that is stopped together with the holder does not blame the holder for it.
 */
static int lock_patiently(const struct store *s, int fd, int how, const bool *cancelled)
{
	static const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000};
	uint64_t sleeps = 0, enough;
	struct stat seen = {0}, now;

	enough = ((uint64_t)s->patience * 1000 + PATIENCE_MORE_MS) / LOCK_POLL_MS;
	while (flock(fd, how | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (cancelled && __atomic_load_n(cancelled, __ATOMIC_RELAXED))
			return -EINTR;
		if (fstat(fd, &now) == 0 &&
		    (now.st_mtim.tv_sec != seen.st_mtim.tv_sec ||
		     now.st_mtim.tv_nsec != seen.st_mtim.tv_nsec)) {
			seen = now;
			sleeps = 0;
		}
		if (sleeps++ == enough)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static void show_life(const struct slot *sl)
{
	(void)futimens(sl->lock, NULL);
}

void store_note_work(struct store *s)
{
	int64_t now = clock_ms();
	struct slot *sl;

	if (now < __atomic_load_n(&s->worked, __ATOMIC_RELAXED) + SIGN_MS)
		return;
	__atomic_store_n(&s->worked, now, __ATOMIC_RELAXED);
	pthread_mutex_lock(&s->held_lock);
	for (sl = s->held; sl; sl = sl->next)
		show_life(sl);
	pthread_mutex_unlock(&s->held_lock);
}

static void add_held(struct slot *sl)
{
	pthread_mutex_lock(&sl->store->held_lock);
	sl->next = sl->store->held;
	sl->store->held = sl;
	show_life(sl); /* waiters start to count anew */
	pthread_mutex_unlock(&sl->store->held_lock);
}

static int no_progress(const struct slot *sl, struct err *e)
{
	char hex[DIGEST_TEXT_MAX];

	return err_set(e, -ETIMEDOUT,
		       "%s/layers/%s/%s/lock is locked by a process that has made no "
		       "progress for %u seconds",
		       sl->store->dir, digest_alg_name(sl->layer.alg),
		       digest_hex(&sl->layer, hex), sl->store->patience);
}

int slot_lock(struct slot *sl, const bool *cancelled, struct err *e)
{
	int fd, rc;

	if (sl->dir < 0)
		return 0;
	fd = files_open(sl->dir, "lock", O_RDWR | O_CREAT);
	if (fd < 0) { /* a full disk: several processes may index this layer */
		store_note_trouble(sl->store, fd);
		return 0;
	}
	rc = lock_patiently(sl->store, fd, LOCK_EX, cancelled);
	if (rc == -EINTR || rc == -ETIMEDOUT) {
		close(fd);
		return rc == -EINTR ? err_set(e, rc, "interrupted") : no_progress(sl, e);
	}
	if (rc < 0) /* the file system has no locks */
		store_note_trouble(sl->store, rc);
	sl->lock = fd;
	add_held(sl);
	return 0;
}

void slot_unlock(struct slot *sl)
{
	struct slot **at = &sl->store->held;

	if (sl->lock < 0)
		return;
	pthread_mutex_lock(&sl->store->held_lock);
	while (*at != sl)
		at = &(*at)->next;
	*at = sl->next;
	pthread_mutex_unlock(&sl->store->held_lock);
	close(sl->lock);
	sl->lock = -1;
}

void slot_make_private(struct slot *sl)
{
	slot_forget(sl);
	if (sl->dir >= 0)
		close(sl->dir);
	sl->dir = -1;
}

int slot_open_index(struct slot *sl)
{
	int fd = sl->dir < 0 ? -ENOENT : files_open(sl->dir, "index", O_RDONLY);

	if (fd < 0 || fstat(fd, &sl->index) < 0)
		sl->index = (struct stat){0};
	return fd;
}

bool slot_has_index(const struct slot *sl)
{
	const struct stat *was = &sl->index;
	struct stat now;

	/* The time, because the number of a file that is gone is used again. */
	return sl->dir >= 0 &&
	       fstatat(sl->dir, "index", &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now.st_dev == was->st_dev && now.st_ino == was->st_ino &&
	       now.st_ctim.tv_sec == was->st_ctim.tv_sec &&
	       now.st_ctim.tv_nsec == was->st_ctim.tv_nsec;
}

/*
 * Without the lock, only the index that was opened is removed, and not while another
 * process has the lock: that one judges the index itself, and may publish a new one.
 */
void slot_drop(struct slot *sl)
{
	int fd = -1;

	if (sl->dir < 0)
		return;
	if (sl->lock < 0) {
		fd = files_open(sl->dir, "lock", O_RDWR | O_CREAT);
		if ((fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) || !slot_has_index(sl))
			goto out;
	}
	(void)unlinkat(sl->dir, "index", 0);
	(void)unlinkat(sl->dir, "data", 0);
	(void)unlinkat(sl->dir, "spans", 0);
out:
	if (fd >= 0)
		close(fd);
}

int slot_new_index(struct slot *sl)
{
	return store_new_index(sl->store);
}

int slot_publish_index(struct slot *sl, int fd)
{
	int rc = sl->dir < 0 ? 0 : store_give_name(sl->store, fd, sl->dir, "index");

	if (rc == 0 && sl->dir >= 0)
		partial_forget(sl->dir);
	/* it may be a copy of @fd */
	if (rc < 0 || fstatat(sl->dir, "index", &sl->index, AT_SYMLINK_NOFOLLOW) < 0)
		sl->index = (struct stat){0};
	return rc;
}

/* Whether the files are equal. */
static bool same_bytes(int a, int b)
{
	struct stat sa, sb;
	bool same = fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_size == sb.st_size;
	char *pa = malloc(2 * COMPARE_PART), *pb = pa + COMPARE_PART;
	uint64_t at, size = (uint64_t)sa.st_size;

	for (at = 0; pa && same && at < size; at += COMPARE_PART) {
		size_t n = size - at < COMPARE_PART ? (size_t)(size - at) : COMPARE_PART;

		same = fd_read_all(a, pa, n, at) == 0 && fd_read_all(b, pb, n, at) == 0 &&
		       memcmp(pa, pb, n) == 0;
	}
	free(pa);
	return pa && same;
}

static int publish_copy(struct slot *sl, int from)
{
	int fd = slot_new_index(sl), rc;

	if (fd < 0)
		return fd;
	rc = files_copy(from, fd);
	if (rc == 0) {
		slot_drop(sl); /* rows without an index are of no use */
		rc = slot_publish_index(sl, fd);
	}
	close(fd);
	return rc;
}

int slot_adopt_index(struct slot *sl, int fd)
{
	int own, lock, rc;

	if (sl->dir < 0)
		return -ENOENT;
	lock = files_open(sl->dir, "lock", O_RDWR | O_CREAT);
	if (lock < 0) {
		store_note_trouble(sl->store, lock);
		return lock;
	}
	if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
		close(lock);
		return -EBUSY;
	}
	sl->lock = lock;
	add_held(sl);
	own = slot_open_index(sl);
	if (own >= 0) {
		rc = same_bytes(own, fd) ? 0 : -EEXIST;
		close(own);
	} else {
		rc = publish_copy(sl, fd);
	}
	slot_unlock(sl);
	return rc;
}

static int open_data(struct slot *sl)
{
	int fd, rc;

	if (sl->guard >= 0 || (sl->has_waited && sl->dir >= 0))
		return -ENOENT;
	if (sl->dir < 0)
		return sl->store->keeps_no_data ? -ENOENT : store_new_file(sl->store);
	fd = files_open(sl->dir, "data", O_RDWR | O_CREAT);
	if (fd < 0)
		return fd;
	/* Only an eviction holds an exclusive lock. */
	rc = lock_patiently(sl->store, fd, LOCK_SH, NULL);
	if (rc < 0) {
		sl->has_waited = rc == -ETIMEDOUT;
		close(fd);
		return rc;
	}
	if (!sl->store->keeps_no_data)
		return fd;
	sl->guard = fd; /* an empty file, whose lock protects the index from eviction */
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
		fd = store_new_index(sl->store);
	else
		fd = files_open(sl->dir, "spans", O_RDWR | O_CREAT);
	if (fd < 0)
		return fd;
	/* Allocate: on a full disk, a write to a hole in a mapped file is a SIGBUS. */
	rc = -posix_fallocate(fd, 0, (off_t)len);
	if (rc == 0) {
		map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED) {
			rc = -errno;
		} else {
			sl->rows = map;
			__atomic_store_n(&sl->n_rows, n, __ATOMIC_RELEASE);
		}
	}
	close(fd);
	return rc;
}

/* Minutes since the epoch; 0 means "not there". */
static uint32_t this_minute(void)
{
	return (uint32_t)(clock_realtime().tv_sec / 60);
}

static size_t n_rows(const struct slot *sl)
{
	return __atomic_load_n(&sl->n_rows, __ATOMIC_ACQUIRE);
}

bool slot_has_map(const struct slot *sl)
{
	return n_rows(sl) > 0;
}

bool slot_is_filled(const struct slot *sl, size_t i)
{
	return i < n_rows(sl) &&
	       __atomic_load_n(&sl->rows[i].used, __ATOMIC_ACQUIRE) != 0;
}

void slot_set_filled(struct slot *sl, size_t i, uint64_t off, uint32_t len)
{
	if (i >= n_rows(sl))
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
	       __atomic_load_n(&row->len, __ATOMIC_RELAXED) == len && row->zero == 0;
}

void slot_set_word(struct slot *sl, size_t i, uint32_t word)
{
	if (i < n_rows(sl))
		__atomic_store_n(&sl->rows[i].word, word, __ATOMIC_RELAXED);
}

uint32_t slot_word(const struct slot *sl, size_t i)
{
	return i < n_rows(sl) ? __atomic_load_n(&sl->rows[i].word, __ATOMIC_RELAXED) : 0;
}

void slot_touch(struct slot *sl, size_t i)
{
	uint32_t now = this_minute();

	if (slot_is_filled(sl, i) &&
	    __atomic_load_n(&sl->rows[i].used, __ATOMIC_RELAXED) != now)
		__atomic_store_n(&sl->rows[i].used, now, __ATOMIC_RELAXED);
}
