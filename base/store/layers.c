/* SPDX-License-Identifier: MIT */
#include "base/store/layers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/store/files.h"
#include "base/store/internal.h"

#define SPANS_FILE_MAX ((off_t)192 << 20) /* eight million spans: no layer has more */

static uint64_t disk_bytes(const struct stat *st)
{
	return (uint64_t)st->st_blocks * 512;
}

struct slot_row *layers_map_rows(int dir, size_t *n)
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

void layers_unmap_rows(struct slot_row *rows, size_t n)
{
	if (rows)
		munmap(rows, n * sizeof(*rows));
}

int layers_lock_data(int dir, bool *in_use)
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

int layers_each(struct store *s, layers_fn *fn, void *arg)
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

uint64_t layers_bytes(int dir)
{
	uint64_t sum = 0;
	struct stat st;

	if (fstatat(dir, "data", &st, AT_SYMLINK_NOFOLLOW) == 0)
		sum += disk_bytes(&st);
	if (fstatat(dir, "index", &st, AT_SYMLINK_NOFOLLOW) == 0)
		sum += disk_bytes(&st);
	return sum;
}

static int count_layer(void *arg, int dir, const struct digest *digest)
{
	(void)digest;
	*(uint64_t *)arg += layers_bytes(dir);
	return 0;
}

int layers_count(struct store *s, uint64_t *bytes)
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
	size_t i, n;
	int fd;

	if (fstatat(dir, "index", &st, AT_SYMLINK_NOFOLLOW) == 0)
		info.index_bytes = disk_bytes(&st);
	if (fstatat(dir, "data", &st, AT_SYMLINK_NOFOLLOW) == 0)
		info.data_bytes = disk_bytes(&st);
	if (info.index_bytes == 0 && info.data_bytes == 0)
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
