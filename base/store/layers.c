/* SPDX-License-Identifier: MIT */
/*
 * Spans are evicted from a layer only under an exclusive lock on its data file. A mount
 * holds a shared lock while it has the layer open, so a reader never sees bytes vanish.
 * The spans of all layers that can be locked are sorted by the minute of their last
 * read, and punched out from the oldest on. The row is cleared first: a kill between
 * the two, or in the middle of a first pass, leaves bytes that no row refers to. When
 * no row of the layer refers to anything, its data file is truncated.
 *
 * The blob of a layer whose first pass was interrupted is evicted in the same order, as a
 * whole, by the minute of its last byte.
 *
 * Cost: a stat of three files for each layer in the store, and 12 bytes of memory for
 * each span.
 */
#include "base/store/layers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/err.h"
#include "base/store/files.h"
#include "base/store/internal.h"
#include "base/store/partial.h"

#define SPANS_FILE_MAX ((off_t)192 << 20) /* eight million spans: no layer has more */

static struct slot_row *layers_map_rows(int dir, size_t *n)
{
	struct slot_row *rows = NULL;
	struct stat st;
	void *map;
	int fd = files_open(dir, "spans", O_RDWR);

	*n = 0;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size <= SPANS_FILE_MAX &&
	    st.st_size >= (off_t)sizeof(*rows)) {
		map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   fd, 0);
		if (map != MAP_FAILED) {
			rows = map;
			*n = (size_t)st.st_size / sizeof(*rows);
		}
	}
	close(fd);
	return rows;
}

static void layers_unmap_rows(struct slot_row *rows, size_t n)
{
	if (rows)
		munmap(rows, n * sizeof(*rows));
}

/*
 * Opens the data file of a layer with an exclusive lock. -1 if there is none, or if a
 * mount has it open (*in_use).
 */
static int layers_lock_data(int dir, bool *in_use)
{
	int fd = files_open(dir, "data", O_RDWR);

	*in_use = false;
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	*in_use = true;
	close(fd);
	return -1;
}

/*
 * Called with the open directory of each layer; a negative return ends the walk and is
 * returned.
 */
typedef int layers_fn(void *arg, int dir, const struct digest *digest);

static int each_layer_of(int at, const char *alg, layers_fn *fn, void *arg)
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

		if (len >= (int)sizeof(text) ||
		    digest_parse(text, (size_t)len, &digest) < 0)
			continue;
		dir = openat(fd, entry->d_name,
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (dir < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
			rc = -errno; /* else it would count as nothing */
		if (dir < 0)
			continue;
		rc = fn(arg, dir, &digest);
		close(dir);
	}
	closedir(list);
	return rc;
}

static int layers_each(struct store *s, layers_fn *fn, void *arg)
{
	static const enum digest_alg algs[] = {DIGEST_SHA256, DIGEST_SHA384,
					       DIGEST_SHA512};
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

/* Counting */

/* Bytes on the disk. */
static uint64_t layers_bytes(int dir)
{
	uint32_t used;
	uint64_t sum = partial_bytes(dir, &used);
	struct stat st;

	if (fstatat(dir, "data", &st, AT_SYMLINK_NOFOLLOW) == 0)
		sum += files_disk_bytes(&st);
	if (fstatat(dir, "index", &st, AT_SYMLINK_NOFOLLOW) == 0)
		sum += files_disk_bytes(&st);
	return sum;
}

static int count_layer(void *arg, int dir, const struct digest *digest)
{
	(void)digest;
	*(uint64_t *)arg += layers_bytes(dir);
	return 0;
}

int store_count(struct store *s, uint64_t *bytes)
{
	*bytes = 0;
	return layers_each(s, count_layer, bytes);
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
	uint32_t minute;
	size_t i, n;
	int fd;

	info.partial_bytes = partial_bytes(dir, &minute);
	info.last_read = (uint64_t)minute * 60;
	if (fstatat(dir, "index", &st, AT_SYMLINK_NOFOLLOW) == 0)
		info.index_bytes = files_disk_bytes(&st);
	if (fstatat(dir, "data", &st, AT_SYMLINK_NOFOLLOW) == 0)
		info.data_bytes = files_disk_bytes(&st);
	if (info.index_bytes == 0 && info.data_bytes == 0 && info.partial_bytes == 0)
		return 0; /* evicted: only the directory is left */
	rows = layers_map_rows(dir, &n);
	for (i = 0; i < n; i++) {
		uint64_t used = __atomic_load_n(&rows[i].used, __ATOMIC_RELAXED);

		if (used * 60 > info.last_read)
			info.last_read = used * 60;
	}
	layers_unmap_rows(rows, n);
	fd = layers_lock_data(dir, &info.in_use);
	if (fd >= 0)
		close(fd);
	return list->fn(list->arg, &info);
}

int store_list(struct store *s, int (*fn)(void *arg, const struct slot_info *info),
	       void *arg)
{
	struct list_arg list = {fn, arg};

	return layers_each(s, list_layer, &list);
}

/* Eviction */

/*
 * A layer that is open for eviction. Layers are opened one at a time, because there may
 * be more of them than a process may have descriptors.
 */
struct open_layer {
	int data; /* locked; -1 */
	struct slot_row *rows;
	size_t n_rows;
};

/* False if there is no data, or a mount has it open. */
static bool evict_open_layer(struct open_layer *layer, int dir)
{
	bool in_use;

	*layer = (struct open_layer){.data = -1};
	layer->data = layers_lock_data(dir, &in_use);
	if (layer->data < 0)
		return false;
	layer->rows = layers_map_rows(dir, &layer->n_rows);
	return true;
}

static void evict_close_layer(struct open_layer *layer)
{
	layers_unmap_rows(layer->rows, layer->n_rows);
	if (layer->data >= 0)
		close(layer->data);
	*layer = (struct open_layer){.data = -1};
}

/* The longest hole punched at once. */
#define PUNCH_MAX ((uint64_t)4 << 20)

struct victim {
	uint32_t used;
	uint32_t layer; /* in eviction.layers */
	uint32_t row;	/* or ROW_PARTIAL */
};

#define ROW_PARTIAL UINT32_MAX

struct eviction {
	struct digest *layers;
	size_t n_layers;
	struct victim *victims;
	size_t n_victims;
	uint64_t held; /* bytes of all layers, in use or not */
	uint64_t keep; /* for drop_layer(): as many may be left */
};

static int add_victim(struct eviction *ev, uint32_t used, uint32_t row)
{
	int rc = array_grow(&ev->victims, ev->n_victims, sizeof(*ev->victims));

	if (rc == 0)
		ev->victims[ev->n_victims++] = (struct victim){
			used, (uint32_t)ev->n_layers, row};
	return rc;
}

static int add_spans(struct eviction *ev, const struct open_layer *layer)
{
	size_t before = ev->n_victims, i;
	int rc = 0;

	for (i = 0; rc == 0 && i < layer->n_rows; i++) {
		uint32_t used = __atomic_load_n(&layer->rows[i].used, __ATOMIC_RELAXED);

		if (used != 0)
			rc = add_victim(ev, used, (uint32_t)i);
	}
	if (rc == 0 && ev->n_victims == before) /* no row refers to these bytes */
		rc = ftruncate(layer->data, 0) < 0 ? -errno : 0;
	return rc;
}

/*
 * Counts a layer's bytes. What was fetched of it may be evicted, and its spans if no mount has
 * it open.
 */
static int note_layer(void *arg, int dir, const struct digest *digest)
{
	struct open_layer layer;
	struct eviction *ev = arg;
	size_t before = ev->n_victims;
	uint32_t used;
	int rc = 0;

	if (partial_bytes(dir, &used) > 0)
		rc = add_victim(ev, used, ROW_PARTIAL);
	if (rc == 0 && evict_open_layer(&layer, dir)) {
		rc = add_spans(ev, &layer);
		evict_close_layer(&layer);
	}
	ev->held += layers_bytes(dir);
	if (rc < 0 || ev->n_victims == before)
		return rc;
	rc = array_grow(&ev->layers, ev->n_layers, sizeof(*ev->layers));
	if (rc == 0)
		ev->layers[ev->n_layers++] = *digest;
	return rc;
}

/* The oldest first; spans of the same minute by layer, and in order. */
static int by_age(const void *a, const void *b)
{
	const struct victim *va = a, *vb = b;

	if (va->used != vb->used)
		return va->used < vb->used ? -1 : 1;
	if (va->layer != vb->layer)
		return va->layer < vb->layer ? -1 : 1;
	return va->row < vb->row ? -1 : va->row > vb->row;
}

/* A layer's directory, or -1. */
static int layers_open_dir(const struct store *s, const struct digest *digest)
{
	char path[16 + DIGEST_TEXT_MAX], hex[DIGEST_TEXT_MAX];

	snprintf(path, sizeof(path), "layers/%s/%s", digest_alg_name(digest->alg),
		 digest_hex(digest, hex));
	return openat(s->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* False if a mount has opened the layer since it was noted, or it is gone. */
static bool evict_reopen_layer(const struct store *s, const struct digest *digest,
			       struct open_layer *layer)
{
	int dir = layers_open_dir(s, digest);
	bool is_held = dir >= 0 && evict_open_layer(layer, dir);

	if (dir >= 0)
		close(dir);
	return is_held;
}

static void subtract(struct eviction *ev, uint64_t bytes)
{
	ev->held -= bytes < ev->held ? bytes : ev->held;
}

/*
 * A hole to be punched in the layer that is open. Adjacent spans are collected in one
 * hole, because a hole smaller than a page frees nothing.
 */
struct punch {
	uint64_t off;
	uint64_t len; /* 0: none */
};

static void punch_out(struct eviction *ev, const struct open_layer *layer,
		      struct punch *p)
{
	if (p->len > 0 &&
	    fallocate(layer->data, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)p->off, (off_t)p->len) == 0)
		subtract(ev, p->len);
	p->len = 0;
}

static void evict_span(struct eviction *ev, struct open_layer *layer,
		       const struct victim *v, struct punch *p)
{
	struct slot_row *row;

	if (v->row >= layer->n_rows)
		return;
	row = &layer->rows[v->row];
	if (__atomic_load_n(&row->used, __ATOMIC_RELAXED) != v->used)
		return; /* read since */
	__atomic_store_n(&row->used, 0, __ATOMIC_RELEASE);
	if (p->off + p->len != row->off || p->len >= PUNCH_MAX)
		punch_out(ev, layer, p);
	if (p->len == 0)
		p->off = row->off;
	p->len += row->len;
}

static void evict_partial(const struct store *s, struct eviction *ev,
			  const struct digest *digest)
{
	int dir = layers_open_dir(s, digest);

	if (dir < 0)
		return;
	subtract(ev, partial_evict(dir));
	close(dir);
}

static void evict_victims(const struct store *s, struct eviction *ev, uint64_t keep)
{
	struct open_layer layer = {.data = -1};
	struct punch punch = {0};
	uint32_t current = UINT32_MAX;
	bool is_held = false;
	size_t i;

	if (ev->n_victims > 0)
		qsort(ev->victims, ev->n_victims, sizeof(*ev->victims), by_age);
	for (i = 0; i < ev->n_victims && ev->held > keep + punch.len; i++) {
		const struct victim *v = &ev->victims[i];

		if (v->row == ROW_PARTIAL) {
			evict_partial(s, ev, &ev->layers[v->layer]);
			continue;
		}
		if (v->layer != current) {
			if (is_held)
				punch_out(ev, &layer, &punch);
			evict_close_layer(&layer);
			current = v->layer;
			is_held = evict_reopen_layer(s, &ev->layers[current], &layer);
		}
		if (is_held)
			evict_span(ev, &layer, v, &punch);
	}
	if (is_held)
		punch_out(ev, &layer, &punch);
	evict_close_layer(&layer);
}

/* Removes a whole layer, unless a mount has it open, or few enough bytes are left. */
static int drop_layer(void *arg, int dir, const struct digest *digest)
{
	struct eviction *ev = arg;
	bool in_use;
	int data;

	(void)digest;
	if (ev->keep > 0 && ev->held <= ev->keep)
		return 0;
	data = layers_lock_data(dir, &in_use);
	if (in_use)
		return 0;
	subtract(ev, layers_bytes(dir));
	(void)partial_evict(dir);
	(void)unlinkat(dir, "index", 0);
	(void)unlinkat(dir, "spans", 0);
	(void)unlinkat(dir, "data", 0);
	if (data >= 0)
		close(data);
	return 0;
}

int store_evict(struct store *s, uint64_t keep, uint64_t *held)
{
	struct eviction ev = {0};
	int rc = layers_each(s, note_layer, &ev);

	if (rc == 0 && ev.held > keep)
		evict_victims(s, &ev, keep);
	if (rc == 0 && keep == 0)
		rc = layers_each(s, drop_layer, &ev);
	*held = ev.held;
	free(ev.layers);
	free(ev.victims);
	return rc;
}

/*
 * A hole in the middle of a page frees nothing of it, so more may be left than was counted. When
 * no spans are left to remove, whole layers are, with their indexes.
 */
int store_prune(struct store *s, uint64_t keep, uint64_t *freed, struct err *e)
{
	struct eviction ev = {.keep = keep};
	uint64_t before = 0, held = 0, last;
	int rc = store_count(s, &before);

	ev.held = before;
	do {
		last = ev.held;
		if (rc == 0)
			rc = store_evict(s, keep, &held);
		if (rc == 0)
			rc = store_count(s, &ev.held);
	} while (rc == 0 && ev.held > keep && ev.held < last);
	if (rc == 0 && keep > 0 && ev.held > keep)
		rc = layers_each(s, drop_layer, &ev);
	held = ev.held;
	if (rc < 0)
		return err_set(e, rc, "cannot prune %s: %s", s->dir, strerror(-rc));
	/* others may write at the same time */
	*freed = before > held ? before - held : 0;
	return 0;
}
