/* SPDX-License-Identifier: MIT */
/*
 * Counting what the store holds is a walk over all layers. So each count grants up to
 * ROOM_STEP bytes, and when the limit is reached, a tenth of it is freed at once.
 */
#include "base/store/room.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/store/files.h"
#include "base/store/internal.h"
#include "base/store/layers.h"
#include "base/store/partial.h"
#include "base/store/store.h"

#define ROOM_STEP ((int64_t)64 << 20)

/* Bytes that may be added while a twentieth of the disk stays free. */
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

/* Counts anew, and evicts if needed. */
static int claim_room(struct store *s, uint64_t len)
{
	uint64_t held = 0, keep;
	int64_t room, on_disk;
	int rc;

	on_disk = disk_room(s);
	rc = store_count(s, &held);
	if (rc == 0 && (held + len > s->limit || on_disk < (int64_t)len)) {
		keep = s->limit - s->limit / 10;
		if (on_disk < (int64_t)len && held > len && held - len < keep)
			keep = held - len;
		rc = store_evict(s, keep > len ? keep - len : 1, &held);
		on_disk = disk_room(s);
	}
	if (rc < 0)
		return rc;
	room = held < s->limit ? (int64_t)(s->limit - held) : 0;
	if (room > on_disk)
		room = on_disk;
	if (room < (int64_t)len)
		return -ENOSPC;
	room -= (int64_t)len;
	__atomic_store_n(&s->room, room < ROOM_STEP ? room : ROOM_STEP, __ATOMIC_RELAXED);
	return 0;
}

int store_make_room(struct store *s, uint64_t len)
{
	int rc;

	if (!s->dir || __atomic_sub_fetch(&s->room, (int64_t)len, __ATOMIC_RELAXED) >= 0)
		return 0;
	rc = claim_room(s, len);
	if (rc == -ENOSPC && partials_give_up(s))
		rc = claim_room(s, len);
	return rc;
}

bool store_keep(struct store *s, int fd, const void *data, size_t len, uint64_t off)
{
	int rc = store_make_room(s, len);

	if (rc == 0)
		rc = fd_write_all(fd, data, len, off);
	/* a quota, or somebody else who fills the disk */
	if ((rc == -ENOSPC || rc == -EDQUOT) && partials_give_up(s))
		rc = fd_write_all(fd, data, len, off);
	if (rc < 0)
		store_note_trouble(s, rc);
	return rc == 0;
}

void store_keep_partial(struct store *s, struct partial *p, const void *data, size_t len,
			uint64_t off)
{
	int rc = p ? store_make_room(s, len) : 0;

	if (rc == 0)
		rc = partial_append(p, data, len, off);
	if (rc < 0)
		(void)partial_give_up(p);
}

/*
 * Takes @fd, which may be an error. Allocates now, because a quota, or another process
 * that fills the disk, would otherwise show in a later write. File systems that cannot
 * allocate are trusted.
 */
static int allocate(int fd, uint64_t size)
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
	int fd;

	if (size > INT64_MAX)
		return -EFBIG;
	fd = store_make_room(s, size);
	if (fd == 0)
		fd = allocate(store_new_file(s), size);
	return fd < 0 && s->dir ? allocate(files_new_temporary(), size) : fd;
}
