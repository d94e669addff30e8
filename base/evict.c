/* SPDX-License-Identifier: MIT */
/*
 * Keeping the store inside its limit.
 *
 * A layer is evicted from only under an exclusive lock on its data file, which no
 * mount that has it open leaves free: so a reader never sees bytes vanish. Of the
 * layers that can be had, the spans of all are sorted by the minute they were last
 * read, and punched out from the oldest on. The row is cleared first: a kill between
 * the two wastes disk until the layer is next evicted from, and nothing else.
 *
 * Cost: a stat of three files for each layer in the store, 24 bytes of memory for
 * each span; when the limit is met, a tenth of it is freed, so that this is seldom.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/store.h"
#include "base/storefile.h"

/* Counted anew after so many bytes at most. */
#define ROOM_STEP ((int64_t)64 << 20)

#define SPANS_FILE_MAX ((off_t)64 << 20) /* four million spans: no layer has them */

static uint64_t disk_bytes(const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512;
}

/* The rows of a layer, mapped; NULL if there are none. */
static struct slot_row *map_rows(int dir, size_t *n)
{
	struct slot_row *rows = NULL;
	struct stat st;
	void *map;
	int fd = openat(dir, "spans", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	*n = 0;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= SPANS_FILE_MAX &&
	    st.st_size >= (off_t)sizeof(*rows)) {
		map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map != MAP_FAILED) {
			rows = map;
			*n = (size_t)st.st_size / sizeof(*rows);
		}
	}
	close(fd);
	return rows;
}

static void unmap_rows(struct slot_row *rows, size_t n)
{
	if (rows)
		munmap(rows, n * sizeof(*rows));
}

/* The data file, locked for eviction; -1 if it is in use, or not there. */
static int lock_data(int dir, bool *in_use)
{
	int fd = openat(dir, "data", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	*in_use = false;
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	*in_use = true;
	close(fd);
	return -1;
}

/* Every layer's directory, opened, in turn. */
typedef int layer_fn(void *arg, int dir, const struct digest *digest);

static int each_layer_of(int at, const char *alg, layer_fn *fn, void *arg)
{
	char text[DIGEST_TEXT_MAX];
	struct dirent *entry;
	struct digest digest;
	int fd, dir, rc = 0;
	DIR *list;

	fd = openat(at, alg, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	list = fdopendir(fd);
	if (!list) {
		close(fd);
		return -ENOMEM;
	}
	while (rc >= 0 && (entry = readdir(list))) {
		int len = snprintf(text, sizeof(text), "%s:%s", alg, entry->d_name);

		if (len >= (int)sizeof(text) || digest_parse(text, (size_t)len, &digest) < 0)
			continue;
		dir = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (dir < 0)
			continue;
		rc = fn(arg, dir, &digest);
		close(dir);
	}
	closedir(list);
	return rc;
}

static int each_layer(struct store *s, layer_fn *fn, void *arg)
{
	static const enum digest_alg algs[] = {DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
	int at, rc = 0;
	size_t i;

	if (!s->dir)
		return 0;
	at = openat(s->fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (at < 0)
		return 0;
	for (i = 0; rc >= 0 && i < sizeof(algs) / sizeof(algs[0]); i++)
		rc = each_layer_of(at, digest_alg_name(algs[i]), fn, arg);
	close(at);
	return rc;
}

/* Listing */

struct list_arg {
	int (*fn)(void *arg, const struct slot_info *info);
	void *arg;
};

static int list_layer(void *arg, int dir, const struct digest *digest)
{
	struct list_arg *list = arg;
	struct slot_info info = {.digest = *digest};
	struct slot_row *rows;
	struct stat st;
	size_t i, n;
	int fd;

	if (fstatat(dir, "index", &st, AT_SYMLINK_NOFOLLOW) == 0)
		info.index_bytes = disk_bytes(&st);
	if (fstatat(dir, "data", &st, AT_SYMLINK_NOFOLLOW) == 0)
		info.data_bytes = disk_bytes(&st);
	if (info.index_bytes == 0 && info.data_bytes == 0)
		return 0; /* evicted: only its directory is left */
	rows = map_rows(dir, &n);
	for (i = 0; i < n; i++) {
		uint64_t used = __atomic_load_n(&rows[i].used, __ATOMIC_RELAXED);

		if (used * 60 > info.last_read)
			info.last_read = used * 60;
	}
	unmap_rows(rows, n);
	fd = lock_data(dir, &info.in_use);
	if (fd >= 0)
		close(fd);
	return list->fn(list->arg, &info);
}

int store_list(struct store *s, int (*fn)(void *arg, const struct slot_info *info), void *arg)
{
	struct list_arg list = {fn, arg};

	return each_layer(s, list_layer, &list);
}

/* Evicting */

struct victim {
	uint32_t used;
	uint32_t layer; /* in eviction.layers */
	uint32_t row;
	uint32_t len;
};

struct held_layer {
	int dir;
	int data; /* locked */
	struct slot_row *rows;
	size_t n_rows;
	uint64_t index_bytes;
};

struct eviction {
	struct held_layer *layers;
	size_t n_layers;
	struct victim *victims;
	size_t n_victims;
	uint64_t held; /* bytes, of all layers, in use or not */
};

static int add_victims(struct eviction *ev, const struct held_layer *layer)
{
	struct victim *more;
	size_t i;

	more = realloc(ev->victims, (ev->n_victims + layer->n_rows + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	ev->victims = more;
	for (i = 0; i < layer->n_rows; i++) {
		uint32_t used = __atomic_load_n(&layer->rows[i].used, __ATOMIC_RELAXED);

		if (used == 0)
			continue;
		more[ev->n_victims++] = (struct victim){
			.used = used,
			.layer = (uint32_t)ev->n_layers,
			.row = (uint32_t)i,
			.len = layer->rows[i].len,
		};
	}
	return 0;
}

/* Counts a layer, and holds it if nobody else does. */
static int hold_layer(void *arg, int dir, const struct digest *digest)
{
	struct eviction *ev = arg;
	struct held_layer layer = {.dir = -1, .data = -1}, *more;
	struct stat st;
	bool in_use;
	int rc;

	(void)digest;
	if (fstatat(dir, "data", &st, AT_SYMLINK_NOFOLLOW) == 0)
		ev->held += disk_bytes(&st);
	if (fstatat(dir, "index", &st, AT_SYMLINK_NOFOLLOW) == 0)
		layer.index_bytes = disk_bytes(&st);
	ev->held += layer.index_bytes;
	layer.data = lock_data(dir, &in_use);
	if (layer.data < 0)
		return 0;
	more = realloc(ev->layers, (ev->n_layers + 1) * sizeof(*more));
	if (!more) {
		close(layer.data);
		return -ENOMEM;
	}
	ev->layers = more;
	layer.dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	layer.rows = map_rows(dir, &layer.n_rows);
	rc = add_victims(ev, &layer);
	ev->layers[ev->n_layers++] = layer;
	return rc;
}

static void release_eviction(struct eviction *ev)
{
	size_t i;

	for (i = 0; i < ev->n_layers; i++) {
		unmap_rows(ev->layers[i].rows, ev->layers[i].n_rows);
		close(ev->layers[i].data);
		if (ev->layers[i].dir >= 0)
			close(ev->layers[i].dir);
	}
	free(ev->layers);
	free(ev->victims);
}

static int oldest_first(const void *a, const void *b)
{
	uint32_t ua = ((const struct victim *)a)->used, ub = ((const struct victim *)b)->used;

	return ua < ub ? -1 : ua > ub;
}

static void evict_span(struct eviction *ev, const struct victim *v)
{
	struct held_layer *layer = &ev->layers[v->layer];
	struct slot_row *row = &layer->rows[v->row];

	__atomic_store_n(&row->used, 0, __ATOMIC_RELEASE);
	if (fallocate(layer->data, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)row->off,
		      (off_t)row->len) == 0)
		ev->held -= row->len < ev->held ? row->len : ev->held;
}

/*
 * What a kill, or the first pass of a layer that proved bad, has left in data files
 * beside their spans.
 */
static void drop_layer(struct eviction *ev, struct held_layer *layer)
{
	struct stat st;

	if (fstat(layer->data, &st) == 0)
		ev->held -= disk_bytes(&st) < ev->held ? disk_bytes(&st) : ev->held;
	ev->held -= layer->index_bytes < ev->held ? layer->index_bytes : ev->held;
	(void)unlinkat(layer->dir, "index", 0);
	(void)unlinkat(layer->dir, "spans", 0);
	(void)unlinkat(layer->dir, "data", 0);
}

/* Until at most @keep bytes are held; *held is what is left. */
static int evict(struct store *s, uint64_t keep, uint64_t *before, uint64_t *held)
{
	struct eviction ev = {0};
	int rc = each_layer(s, hold_layer, &ev);
	size_t i;

	*before = ev.held;
	if (rc == 0 && ev.held > keep) {
		if (ev.n_victims > 0)
			qsort(ev.victims, ev.n_victims, sizeof(*ev.victims), oldest_first);
		for (i = 0; i < ev.n_victims && ev.held > keep; i++)
			evict_span(&ev, &ev.victims[i]);
		for (i = 0; i < ev.n_layers && keep == 0; i++)
			drop_layer(&ev, &ev.layers[i]);
	}
	*held = ev.held;
	release_eviction(&ev);
	return rc;
}

int store_prune(struct store *s, uint64_t keep, uint64_t *freed, struct err *e)
{
	uint64_t before = 0, held = 0;
	int rc = evict(s, keep, &before, &held);

	if (rc < 0)
		return err_set(e, rc, "cannot prune %s: %s", s->dir, strerror(-rc));
	*freed = before - held;
	return 0;
}

/* How much may be added before the disk has less than a twentieth free. */
static int64_t disk_room(const struct store *s)
{
	struct statvfs vfs;
	uint64_t free_bytes, reserve;

	if (fstatvfs(s->fd, &vfs) < 0)
		return 0;
	free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	reserve = (uint64_t)vfs.f_blocks * vfs.f_frsize / 20;
	return free_bytes > reserve ? (int64_t)(free_bytes - reserve) : 0;
}

bool store_make_room(struct store *s, uint64_t len)
{
	uint64_t before = 0, held = 0, keep;
	int64_t room, on_disk;

	if (!s->dir)
		return true;
	if (__atomic_sub_fetch(&s->room, (int64_t)len, __ATOMIC_RELAXED) >= 0)
		return true;
	on_disk = disk_room(s);
	if (evict(s, UINT64_MAX, &before, &held) < 0)
		return false;
	if (held + len > s->limit || on_disk < (int64_t)len) {
		keep = s->limit - s->limit / 10;
		if (on_disk < (int64_t)len && held > len && held - len < keep)
			keep = held - len;
		if (evict(s, keep > len ? keep - len : 1, &before, &held) < 0)
			return false;
		on_disk = disk_room(s);
	}
	room = held < s->limit ? (int64_t)(s->limit - held) : 0;
	if (room > on_disk)
		room = on_disk;
	if (room < (int64_t)len)
		return false;
	room -= (int64_t)len;
	__atomic_store_n(&s->room, room < ROOM_STEP ? room : ROOM_STEP, __ATOMIC_RELAXED);
	return true;
}
