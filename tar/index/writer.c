/* SPDX-License-Identifier: MIT */
#include "tar/index/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "tar/codec/checksum.h"

struct writer {
	int fd;
	int error;    /* the first one, negative errno */
	uint64_t off; /* offset of block[0] in the file */
	size_t len;
	struct index_place sections[N_SECTIONS];
	enum index_section section;
	struct buf crcs;
	unsigned char block[INDEX_BLOCK];
};

int writer_new(int fd, struct writer **out)
{
	struct writer *w = malloc(sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->fd = fd;
	w->error = 0;
	w->off = INDEX_HEAD_SIZE;
	w->len = 0;
	w->section = N_SECTIONS;
	memset(w->sections, 0, sizeof(w->sections));
	buf_init(&w->crcs, UINT32_MAX); /* one word for each 64 KiB that was written */
	*out = w;
	return 0;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	buf_release(&w->crcs);
	free(w);
}

/*
 * The disk is full. Moves the index so far to memory, under the same descriptor, so that
 * the caller does not notice.
 */
static int writer_move_to_memory(struct writer *w)
{
	int mem = memfd_create("peelfs-index", MFD_CLOEXEC), rc = 0;
	off_t off = 0;
	ssize_t n;

	if (mem < 0)
		return -errno;
	do {
		n = sendfile(mem, w->fd, &off, 1 << 30);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 || dup3(mem, w->fd, O_CLOEXEC) < 0)
		rc = -errno;
	close(mem);
	return rc;
}

static int writer_put(struct writer *w, const void *data, size_t len, uint64_t off)
{
	int rc = fd_write_all(w->fd, data, len, off);

	if (rc != -ENOSPC && rc != -EDQUOT)
		return rc;
	rc = writer_move_to_memory(w);
	return rc < 0 ? rc : fd_write_all(w->fd, data, len, off);
}

static void writer_flush(struct writer *w)
{
	uint32_t crc = checksum(0, w->block, w->len);
	int rc;

	rc = writer_put(w, w->block, w->len, w->off);
	if (rc == 0)
		rc = buf_append(&w->crcs, &crc, sizeof(crc));
	if (rc < 0 && w->error == 0)
		w->error = rc;
	w->off += w->len;
	w->len = 0;
}

void writer_append(struct writer *w, const void *data, size_t len)
{
	const unsigned char *p = data;

	if (w->error < 0)
		return;
	while (len > 0) {
		size_t n = INDEX_BLOCK - w->len;

		if (n > len)
			n = len;
		memcpy(w->block + w->len, p, n);
		w->len += n;
		p += n;
		len -= n;
		if (w->len == INDEX_BLOCK)
			writer_flush(w);
	}
}

static void writer_align(struct writer *w)
{
	static const char zeros[8];
	uint64_t at = w->off + w->len;

	writer_append(w, zeros, (size_t)(round_up(at, 8) - at));
}

static void writer_end_section(struct writer *w)
{
	if (w->section == N_SECTIONS)
		return;
	w->sections[w->section].len = writer_tell(w);
	writer_align(w);
	w->section = N_SECTIONS;
}

void writer_begin(struct writer *w, enum index_section section)
{
	writer_end_section(w);
	w->section = section;
	w->sections[section].off = w->off + w->len;
}

uint64_t writer_tell(const struct writer *w)
{
	return w->off + w->len - w->sections[w->section].off;
}

int writer_finish(struct writer *w, struct index_head *head)
{
	static const char zeros[INDEX_HEAD_SIZE - sizeof(*head)];
	const uint32_t end = INDEX_END;
	int rc;

	writer_end_section(w);
	if (w->len > 0)
		writer_flush(w);
	if (w->error < 0)
		return w->error;

	head->magic = INDEX_MAGIC;
	head->version = INDEX_VERSION;
	memcpy(head->sections, w->sections, sizeof(head->sections));
	head->blocks.off = w->off;
	head->blocks.len = w->crcs.len;
	head->blocks_crc = checksum(0, w->crcs.data, w->crcs.len);
	head->file_size = w->off + w->crcs.len + sizeof(end);
	head->crc = 0;
	head->crc = checksum(0, head, sizeof(*head));

	rc = writer_put(w, w->crcs.data, w->crcs.len, w->off);
	if (rc == 0)
		rc = writer_put(w, &end, sizeof(end), w->off + w->crcs.len);
	if (rc == 0)
		rc = writer_put(w, zeros, sizeof(zeros), sizeof(*head));
	if (rc == 0)
		rc = writer_put(w, head, sizeof(*head), 0);
	return rc;
}
