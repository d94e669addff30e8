/* SPDX-License-Identifier: MIT */
/*
 * The compressed bytes are kept, and not a checkpoint of the decoder, because the blob's
 * digest is over all of them and OpenSSL does not export the state of a hash. Reading and
 * decoding them again takes a fraction of the time in which they arrived. The price is
 * their room on the disk until the pass ends. A file that goes within half a minute is never
 * written to the disk at all, so it is not synced.
 */
#include "base/store/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/store/files.h"
#include "base/store/internal.h"
#include "base/store/store.h"

#define NAME "partial"

/* A smaller blob is fetched again in no time. */
#define BLOB_MIN (1u << 18)

struct partial {
	struct slot *slot; /* borrowed */
	uint64_t kept;
	pthread_mutex_t lock; /* guards all that follows */
	int fd;		      /* -1: given up */
	uint64_t len;
	struct partial *next; /* in store->partials, under its lock */
};

/* Files */

/* The locked file, or negative errno. */
static int open_locked(int dir, int flags, struct stat *st)
{
	int fd = files_open(dir, NAME, O_RDWR | flags);
	int rc = 0;

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, st) < 0)
		rc = -errno;
	else if (st->st_nlink == 0) /* evicted since it was opened */
		rc = -ENOENT;
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

uint64_t partial_bytes(int dir, uint32_t *used)
{
	struct stat st;

	*used = 0;
	if (fstatat(dir, NAME, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	*used = (uint32_t)(st.st_mtime / 60);
	return files_disk_bytes(&st);
}

uint64_t partial_evict(int dir)
{
	struct stat st;
	int fd = open_locked(dir, 0, &st);

	if (fd < 0)
		return 0;
	partial_forget(dir);
	close(fd);
	return files_disk_bytes(&st);
}

void partial_forget(int dir)
{
	(void)unlinkat(dir, NAME, 0);
}

/* Open partials */

static void add_to_store(struct partial *p)
{
	struct store *s = p->slot->store;

	pthread_mutex_lock(&s->partials_lock);
	p->next = s->partials;
	s->partials = p;
	pthread_mutex_unlock(&s->partials_lock);
}

static void take_from_store(struct partial *p)
{
	struct store *s = p->slot->store;
	struct partial **at = &s->partials;

	pthread_mutex_lock(&s->partials_lock);
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	pthread_mutex_unlock(&s->partials_lock);
}

/* Opens or creates the file. One that is too long is damaged, and is emptied. */
static int open_kept(int dir, uint64_t max, uint64_t *kept)
{
	struct stat st;
	int fd = open_locked(dir, O_CREAT, &st), rc;

	if (fd < 0)
		return fd;
	*kept = (uint64_t)st.st_size;
	if (*kept <= max)
		return fd;
	*kept = 0;
	if (ftruncate(fd, 0) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int partial_open(struct slot *sl, uint64_t size, struct partial **out)
{
	struct partial *p;
	int rc;

	if (sl->dir < 0 || sl->store->keeps_no_data || size < BLOB_MIN)
		return -ENOENT;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->slot = sl;
	p->fd = open_kept(sl->dir, size, &p->kept);
	if (p->fd < 0) {
		rc = p->fd;
		free(p);
		return rc;
	}
	p->len = p->kept;
	pthread_mutex_init(&p->lock, NULL);
	add_to_store(p);
	*out = p;
	return 0;
}

void partial_close(struct partial *p)
{
	if (!p)
		return;
	take_from_store(p);
	if (p->fd >= 0)
		close(p->fd);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

uint64_t partial_kept(const struct partial *p)
{
	return p ? p->kept : 0;
}

ssize_t partial_read(struct partial *p, void *buf, size_t len, uint64_t off)
{
	ssize_t n = 0;

	if (!p)
		return 0;
	pthread_mutex_lock(&p->lock);
	if (p->fd >= 0) {
		do
			n = pread(p->fd, buf, len, (off_t)off);
		while (n < 0 && errno == EINTR);
		n = n < 0 ? -errno : n;
	}
	pthread_mutex_unlock(&p->lock);
	return n;
}

/* Called with the lock. */
static int append(struct partial *p, const char *data, size_t len, uint64_t off)
{
	uint64_t skip = p->len - off;
	int rc;

	if (skip >= len)
		return 0;
	rc = fd_write_all(p->fd, data + skip, len - (size_t)skip, p->len);
	if (rc == 0)
		p->len = off + len;
	return rc;
}

int partial_append(struct partial *p, const void *data, size_t len, uint64_t off)
{
	int rc = 0;

	if (!p)
		return 0;
	pthread_mutex_lock(&p->lock);
	if (p->fd >= 0)
		rc = off > p->len ? -EINVAL : append(p, data, len, off);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

bool partial_give_up(struct partial *p)
{
	int fd;

	if (!p)
		return false;
	pthread_mutex_lock(&p->lock);
	fd = p->fd;
	p->fd = -1;
	if (fd >= 0) {
		/* or no bytes, where the name cannot be removed */
		if (unlinkat(p->slot->dir, NAME, 0) < 0 && ftruncate(fd, 0) < 0)
			store_note_trouble(p->slot->store, -errno);
		close(fd);
	}
	pthread_mutex_unlock(&p->lock);
	return fd >= 0;
}

bool partials_give_up(struct store *s)
{
	struct partial *p;
	bool any = false;

	pthread_mutex_lock(&s->partials_lock);
	for (p = s->partials; p; p = p->next)
		any = partial_give_up(p) || any;
	pthread_mutex_unlock(&s->partials_lock);
	return any;
}
