/* SPDX-License-Identifier: MIT */
#include "base/store/lower_slot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/store/documents.h"
#include "base/store/files.h"
#include "base/store/internal.h"
#include "base/store/lower.h"

#define PATH_LEN (16 + DIGEST_TEXT_MAX)

/* An eviction holds its lock for milliseconds. */
#define LOCK_TRIES    10
#define LOCK_PAUSE_NS 20000000

struct lower_slot {
	struct store *store; /* borrowed */
	size_t k;
	struct digest layer;
	int dir;
	int data; /* -1: none */
	int rows; /* of `spans`; -1: none */
	bool is_held;
	struct stat index; /* the one that was opened last */
};

static const char *slot_path(const struct digest *layer, char *out)
{
	char hex[DIGEST_TEXT_MAX];

	snprintf(out, PATH_LEN, "layers/%s/%s", digest_alg_name(layer->alg),
		 digest_hex(layer, hex));
	return out;
}

/*
 * Whether a lock on a file is one for all that have access to it. NFS and the like have
 * servers and other clients, whose locks may be their own. FUSE may be anything.
 */
static bool locks_reach_all(int fd)
{
	static const long types[] = {
		EXT4_SUPER_MAGIC,      XFS_SUPER_MAGIC,
		BTRFS_SUPER_MAGIC,     TMPFS_MAGIC,
		RAMFS_MAGIC,	       F2FS_SUPER_MAGIC,
		SQUASHFS_MAGIC,	       EROFS_SUPER_MAGIC_V1,
		ISOFS_SUPER_MAGIC,     0x2fc12fc1, /* ZFS */
		OVERLAYFS_SUPER_MAGIC,
	};
	struct statfs fs;
	size_t i;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if ((uint32_t)fs.f_type == (uint32_t)types[i])
			return true;
	}
	return false;
}

/* Any reader of the file can hold an exclusive lock, so there is no long wait for it. */
static bool hold_data(int fd)
{
	static const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	int tries;

	if (!locks_reach_all(fd))
		return false;
	for (tries = 0; flock(fd, LOCK_SH | LOCK_NB) < 0; tries++) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || tries == LOCK_TRIES)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

int lower_slot_open(struct store *s, size_t k, const struct digest *layer,
		    struct lower_slot **out)
{
	char path[PATH_LEN];
	struct lower_slot *ls;
	int dir = lower_open_folder(s, k, slot_path(layer, path));

	if (dir < 0)
		return dir;
	ls = calloc(1, sizeof(*ls));
	if (!ls) {
		close(dir);
		return -ENOMEM;
	}
	*ls = (struct lower_slot){
		.store = s,
		.k = k,
		.layer = *layer,
		.dir = dir,
		.data = -1,
		.rows = -1,
	};
	*out = ls;
	return 0;
}

void lower_slot_close(struct lower_slot *ls)
{
	if (!ls)
		return;
	if (ls->data >= 0) {
		close(ls->data);
		close(ls->rows);
	}
	close(ls->dir);
	free(ls);
}

int lower_slot_open_data(struct lower_slot *ls)
{
	ls->data = lower_open_file(ls->store, ls->k, ls->dir, "data");
	if (ls->data >= 0)
		ls->rows = lower_open_file(ls->store, ls->k, ls->dir, "spans");
	if (ls->rows < 0) {
		if (ls->data >= 0)
			close(ls->data);
		ls->data = ls->rows = -1;
		return -ENOENT;
	}
	ls->is_held = hold_data(ls->data);
	return 0;
}

int lower_slot_data(const struct lower_slot *ls)
{
	return ls->data;
}

bool lower_slot_is_held(const struct lower_slot *ls)
{
	return ls->is_held;
}

/*
 * Read and not mapped: the file may become shorter. A row that changes at the same time is
 * harmless, because the bytes are checked.
 */
static bool read_row(const struct lower_slot *ls, size_t i, struct slot_row *row)
{
	return ls->rows >= 0 && i < UINT32_MAX &&
	       fd_read_all(ls->rows, row, sizeof(*row), i * sizeof(*row)) == 0;
}

bool lower_slot_has(const struct lower_slot *ls, size_t i, uint64_t off, uint32_t len)
{
	struct slot_row row;

	return read_row(ls, i, &row) && row.used != 0 && row.off == off &&
	       row.len == len && row.zero == 0;
}

uint32_t lower_slot_word(const struct lower_slot *ls, size_t i)
{
	struct slot_row row;

	return read_row(ls, i, &row) ? row.word : 0;
}

/* Indexes */

/*
 * A large index is not checked as a whole when it is opened (tar/layer.c). If it proves
 * damaged later, a note keeps it from being used again, until its owner replaces it.
 */
#define DAMAGE_NAME_MAX (sizeof("damaged-index  in ") + DIGEST_TEXT_MAX + 4096)

static int damage_note(const struct lower_slot *ls, char *name, char *text)
{
	char digest[DIGEST_TEXT_MAX];
	const struct stat *st = &ls->index;

	snprintf(text, 128, "%llu %lld.%09ld %lld", (unsigned long long)st->st_ino,
		 (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec,
		 (long long)st->st_size);
	return snprintf(name, DAMAGE_NAME_MAX, "damaged-index %s in %s",
			digest_format(&ls->layer, digest), ls->store->lower[ls->k].dir);
}

static bool has_damage_note(const struct lower_slot *ls)
{
	char name[DAMAGE_NAME_MAX], text[128];
	struct buf note;
	bool has;

	damage_note(ls, name, text);
	buf_init(&note, sizeof(text));
	has = store_get_note(ls->store, name, &note) == 0 &&
	      strcmp(buf_text(&note), text) == 0;
	buf_release(&note);
	return has;
}

void lower_slot_note_damage(struct lower_slot *ls)
{
	char name[DAMAGE_NAME_MAX], text[128];

	damage_note(ls, name, text);
	(void)store_put_note(ls->store, name, text);
}

int lower_slot_open_index(struct lower_slot *ls)
{
	int fd = lower_open_file(ls->store, ls->k, ls->dir, "index");

	if (fd < 0)
		return -ENOENT;
	if (fstat(fd, &ls->index) == 0 && !has_damage_note(ls))
		return fd;
	close(fd);
	return -ENOENT;
}

int store_find_index(struct store *s, const struct digest *layer)
{
	char path[PATH_LEN];
	int dir = -1, fd = -ENOENT;
	size_t k;

	if (s->dir)
		dir = openat(s->fd, slot_path(layer, path),
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir >= 0) {
		fd = files_open(dir, "index", O_RDONLY);
		close(dir);
	}
	for (k = 0; fd < 0 && k < s->n_lower; k++) {
		struct lower_slot *ls = NULL;

		if (lower_slot_open(s, k, layer, &ls) == 0)
			fd = lower_slot_open_index(ls);
		lower_slot_close(ls);
	}
	return fd < 0 ? -ENOENT : fd;
}
