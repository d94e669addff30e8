/* SPDX-License-Identifier: MIT */
/* A layer's place in the store: its lock, its index, its data and the rows of its spans. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/store.h"
#include "base/storefile.h"

#define LOCK_POLL_NS \
	50000000 /* how soon a waiter sees that it may go on, or should stop */

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
		sl->dir = store_open_below(s->fd, path);
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
	return store_new_index(sl->store);
}

int slot_publish_index(struct slot *sl, int fd)
{
	return sl->dir < 0 ? 0 : store_give_name(sl->store, fd, sl->dir, "index");
}

static int open_data(struct slot *sl)
{
	int fd, rc;

	if (sl->guard >= 0)
		return -ENOENT;
	if (sl->dir < 0)
		return sl->store->keeps_no_data ? -ENOENT : store_new_file(sl->store);
	fd = store_open_file(sl->dir, "data", O_RDWR | O_CREAT);
	if (fd < 0)
		return fd;
	/* Waits at most for an eviction that is at it. */
	while (flock(fd, LOCK_SH) < 0) {
		rc = -errno;
		if (rc != -EINTR) {
			close(fd);
			return rc;
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
		fd = store_new_index(sl->store);
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
