/* SPDX-License-Identifier: MIT */
/*
 * The index says where the contents of files are, so the archive is not parsed again: whatever
 * lies between two contents is copied. 12 bytes of memory for each file, which are sorted.
 */
#include "tar/tar_split.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/crc64.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/store/room.h"
#include "base/store/slot.h"
#include "base/store/store.h"
#include "tar/codec/gzip_pack.h"
#include "tar/index/whiteouts.h"
#include "tar/layer.h"

/* A line has so many bytes of the archive at most; and one read. */
#define PIECE ((size_t)64 << 10)
/* Lines are packed when there are so many bytes of them. A line is shorter than the rest. */
#define LINES	  ((size_t)256 << 10)
#define LINES_MAX (LINES + 2 * PIECE)
/* A member of gzip with so many. */
#define PACKED_MAX (2 * LINES_MAX)
/* Of a file. The kernel's limit is for a path that a program gives, but engines give these. */
#define PATH_LEN_MAX PATH_MAX

/* Where the content of a file begins. */
struct place {
	uint64_t data;
	uint32_t entry;
} __attribute__((packed));

struct split {
	struct store *store;
	struct layer *layer;
	const struct index *index;
	const bool *cancelled;
	struct err *err;
	int fd;
	uint64_t written; /* to fd */
	uint64_t n_lines;
	struct buf lines;
	struct buf packed;
	char *piece;
	struct place *places;
	size_t n_places;
};

/* PLACES */

/*
 * The inode of a name: by its own name, or by any link if something else has that now. 1; 0: the
 * name is not needed; negative errno.
 */
static int inode_of(const struct split *s, uint32_t id, struct entry *out)
{
	uint32_t inode;
	int rc = index_entry(s->index, id, out);

	if (rc < 0 || out->inode == id || (out->flags & ENTRY_FOREIGN))
		return rc < 0 ? rc : !(out->flags & ENTRY_FOREIGN) && out->name_len > 0;
	inode = out->inode;
	rc = index_entry(s->index, inode, out);
	return rc < 0 ? rc : out->name_len == 0;
}

/* Whether the content is in one piece, as it is in the archive. 0, 1, negative errno. */
static int is_whole(const struct split *s, const struct entry *e)
{
	uint64_t len = e->size, data;
	int rc;

	if (!S_ISREG(e->mode) || e->size == 0 || (e->flags & ENTRY_SPARSE))
		return 0;
	rc = index_extent(s->index, e, 0, &len, &data);
	if (rc < 0)
		return rc;
	return len == e->size && data == e->data &&
	       range_fits(data, len, index_info(s->index)->decoded_size);
}

/*
 * The path of an entry into @path, of PATH_LEN_MAX bytes, from its end. NULL: the tree does not
 * show it.
 */
static const char *path_of(const struct split *s, struct entry e, char *path)
{
	char *at = path + PATH_LEN_MAX - 1;

	*at = '\0';
	while (e.id != 0) {
		if (e.name_len == 0 || whiteout_is_marker(e.name, e.name_len) ||
		    e.name_len + 1 > (size_t)(at - path))
			return NULL;
		if (*at)
			*--at = '/';
		at -= e.name_len;
		memcpy(at, e.name, e.name_len);
		if (index_entry(s->index, e.parent, &e) < 0)
			return NULL;
	}
	return at;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->data != y->data)
		return x->data < y->data ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static int find_places(struct split *s)
{
	uint32_t id, n = index_info(s->index)->n_entries;
	struct entry e;
	int rc = 0;

	s->places = malloc((n + (size_t)1) * sizeof(*s->places));
	if (!s->places)
		return err_set(s->err, -ENOMEM, "out of memory");
	for (id = 0; id < n; id++) {
		rc = inode_of(s, id, &e);
		if (rc == 1)
			rc = is_whole(s, &e);
		if (rc < 0)
			return err_set(s->err, -EBADMSG,
				       "the index of a layer is damaged");
		if (rc == 1)
			s->places[s->n_places++] = (struct place){e.data, id};
	}
	qsort(s->places, s->n_places, sizeof(*s->places), compare_places);
	return 0;
}

/* READING */

/* At most PIECE decoded bytes at @off, into s->piece: how many, or negative errno. */
static ssize_t read_piece(struct split *s, uint64_t off, uint64_t len)
{
	size_t n = len < PIECE ? (size_t)len : PIECE;
	struct layer_data data;
	int rc;

	if (s->cancelled && __atomic_load_n(s->cancelled, __ATOMIC_RELAXED))
		return err_set(s->err, -EINTR, "interrupted");
	rc = layer_get(s->layer, off, &n, s->cancelled, &data, s->err);
	if (rc == -ESTALE) /* the decoded bytes are the same */
		rc = layer_get(s->layer, off, &n, s->cancelled, &data, s->err);
	if (rc < 0)
		return rc;
	if (data.fd >= 0)
		rc = fd_read_all(data.fd, s->piece, n, data.off);
	else
		memcpy(s->piece, data.mem, n);
	layer_unget(s->layer, &data);
	if (rc < 0)
		return err_set(s->err, rc, "cannot read from the store: %s",
			       strerror(-rc));
	store_note_work(s->store);
	return (ssize_t)n;
}

/* LINES */

static int pack_lines(struct split *s)
{
	int rc = store_make_room(s->store, s->lines.len);

	buf_clear(&s->packed);
	if (rc == 0)
		rc = gzip_pack(s->lines.data, s->lines.len, &s->packed);
	if (rc == 0)
		rc = fd_write_all(s->fd, s->packed.data, s->packed.len, s->written);
	s->written += s->packed.len;
	buf_clear(&s->lines);
	return rc < 0 ? err_set(s->err, rc, "cannot write a file of the store: %s",
				strerror(-rc))
		      : 0;
}

static int add_base64(struct split *s, const void *data, size_t len)
{
	int rc = buf_append_text(&s->lines, ",\"payload\":\"");

	if (rc == 0)
		rc = base64_append(&s->lines, data, len);
	return rc;
}

static int end_line(struct split *s, int rc)
{
	if (rc == 0)
		rc = buf_printf(&s->lines, "\",\"position\":%" PRIu64 "}\n",
				s->n_lines++);
	if (rc < 0)
		return err_set(s->err, rc, "out of memory");
	return s->lines.len >= LINES ? pack_lines(s) : 0;
}

/* Bytes of the archive that are no content of a file. */
static int add_bytes(struct split *s, uint64_t off, uint64_t end)
{
	ssize_t n;
	int rc = 0;

	for (; rc == 0 && off < end; off += (uint64_t)n) {
		n = read_piece(s, off, end - off);
		if (n < 0)
			return (int)n;
		rc = buf_append_text(&s->lines, "{\"type\":2");
		if (rc == 0)
			rc = add_base64(s, s->piece, (size_t)n);
		rc = end_line(s, rc);
	}
	return rc;
}

/* Names that need no escape in JSON are written as they are, others as the bytes they are. */
static int add_name(struct split *s, const char *path)
{
	const char *p;
	int rc;

	for (p = path; *p >= ' ' && *p < 0x7f && *p != '"' && *p != '\\';)
		p++;
	if (*p == '\0')
		return buf_printf(&s->lines, ",\"name\":\"%s\"", path);
	rc = buf_append_text(&s->lines, ",\"name_raw\":\"");
	if (rc == 0)
		rc = base64_append(&s->lines, path, strlen(path));
	return rc < 0 ? rc : buf_append_text(&s->lines, "\"");
}

static int add_file(struct split *s, const char *path, uint64_t off, uint64_t size)
{
	uint64_t crc = 0, done = 0;
	ssize_t n;
	int rc;

	while (done < size) {
		n = read_piece(s, off + done, size - done);
		if (n < 0)
			return (int)n;
		crc = crc64(crc, s->piece, (size_t)n);
		done += (uint64_t)n;
	}
	crc = htobe64(crc);
	rc = buf_append_text(&s->lines, "{\"type\":1");
	if (rc == 0)
		rc = add_name(s, path);
	if (rc == 0)
		rc = buf_printf(&s->lines, ",\"size\":%" PRIu64, size);
	if (rc == 0)
		rc = add_base64(s, &crc, sizeof(crc));
	return end_line(s, rc);
}

/* ALL */

static int write_all(struct split *s)
{
	uint64_t pos = 0, size = index_info(s->index)->decoded_size;
	char path[PATH_LEN_MAX];
	const char *name;
	struct entry named, e;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < s->n_places; i++) {
		if (index_entry(s->index, s->places[i].entry, &named) < 0 ||
		    index_entry(s->index, named.inode, &e) < 0)
			return err_set(s->err, -EBADMSG,
				       "the index of a layer is damaged");
		name = path_of(s, named, path);
		if (!name || e.data < pos)
			continue;
		rc = add_bytes(s, pos, e.data);
		if (rc == 0)
			rc = add_file(s, name, e.data, e.size);
		pos = e.data + e.size;
	}
	if (rc == 0)
		rc = add_bytes(s, pos, size);
	return rc < 0 ? rc : pack_lines(s);
}

int tar_split_write(struct store *store, struct layer *l, int fd, const bool *cancelled,
		    uint64_t *size, struct err *e)
{
	struct split s = {.store = store,
			  .layer = l,
			  .index = layer_index(l),
			  .cancelled = cancelled,
			  .err = e,
			  .fd = fd};
	int rc = 0;

	if (!index_basis_is_whole(index_info(s.index)->basis))
		return err_set(e, -ENOTSUP, "only the table of contents is known");
	buf_init(&s.lines, LINES_MAX);
	buf_init(&s.packed, PACKED_MAX);
	s.piece = malloc(PIECE);
	if (!s.piece)
		rc = err_set(e, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = find_places(&s);
	if (rc == 0)
		rc = write_all(&s);
	if (rc == 0)
		*size = s.written;
	free(s.places);
	free(s.piece);
	buf_release(&s.packed);
	buf_release(&s.lines);
	return rc;
}
