/* SPDX-License-Identifier: MIT */
#include "tar/index/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/num.h"
#include "tar/codec/checksum.h"
#include "tar/codec/compression.h"
#include "tar/index/format.h"

struct index {
	const unsigned char *map;
	size_t size;
	/* The last word of the map, and not what it should be once the file was cut short. */
	const volatile uint32_t *end;
	const struct index_head *head; /* a copy, so that what was checked stays so */
	struct index_head head_copy;
	struct index_info info;
	/*
	 * One bit for a block of 64 KiB: its checksum was right. Atomic; two threads may
	 * check one block twice, and find the same.
	 */
	uint64_t *checked;
	bool *damaged; /* atomic; by pointer, for it is set where the index is const */
};

/* Sections of rows: the length must be a multiple of this. */
static const uint32_t row_sizes[N_SECTIONS] = {
	[SECTION_ENTRIES] = sizeof(struct index_row),
	[SECTION_STRINGS] = 1,
	[SECTION_UNITS] = INDEX_UNIT,
	[SECTION_XATTRS] = 1,
	[SECTION_EXTENTS] = 8,
	[SECTION_SPANS] = sizeof(uint32_t),
	[SECTION_WINDOWS] = 1,
	[SECTION_FOREIGN] = sizeof(uint32_t),
	[SECTION_SKIPPED] = 1,
};

static int check_block(const struct index *ix, uint64_t block)
{
	uint64_t off = INDEX_HEAD_SIZE + (block << INDEX_BLOCK_SHIFT);
	uint64_t len = ix->head->blocks.off - off;
	uint64_t *word = &ix->checked[block / 64], bit = UINT64_C(1) << (block % 64);
	uint32_t crc;

	if (len > INDEX_BLOCK)
		len = INDEX_BLOCK;
	memcpy(&crc, ix->map + ix->head->blocks.off + block * sizeof(crc), sizeof(crc));
	if (checksum(0, ix->map + off, (size_t)len) != crc) {
		__atomic_store_n(ix->damaged, true, __ATOMIC_RELAXED);
		return -EBADMSG;
	}
	__atomic_fetch_or(word, bit, __ATOMIC_RELEASE);
	return 0;
}

static inline bool is_checked(const struct index *ix, uint64_t block)
{
	uint64_t word = __atomic_load_n(&ix->checked[block / 64], __ATOMIC_ACQUIRE);

	return word >> (block % 64) & 1;
}

/*
 * Does the file still have the bytes that were checked? Where they are gone the map has
 * zeros, see base/fault.h, and at its end as well.
 */
static bool is_whole(const struct index *ix)
{
	if (*ix->end == INDEX_END)
		return true;
	__atomic_store_n(ix->damaged, true, __ATOMIC_RELAXED);
	return false;
}

/* @len bytes at @off of a section, checked; NULL if they are not there or not right. */
static const void *at(const struct index *ix, enum index_section section, uint64_t off,
		      uint64_t len)
{
	const struct index_place *place = &ix->head->sections[section];
	uint64_t block, last;

	if (!range_fits(off, len, place->len))
		return NULL;
	off += place->off;
	if (len > 0) {
		block = (off - INDEX_HEAD_SIZE) >> INDEX_BLOCK_SHIFT;
		last = (off + len - 1 - INDEX_HEAD_SIZE) >> INDEX_BLOCK_SHIFT;
		for (; block <= last; block++) {
			if (!is_checked(ix, block) && check_block(ix, block) < 0)
				return NULL;
		}
	}
	return is_whole(ix) ? ix->map + off : NULL;
}

static bool place_is_sane(const struct index_head *head, const struct index_place *p,
			  uint32_t row_size)
{
	if (p->len == 0)
		return p->off <= head->file_size;
	return p->off >= INDEX_HEAD_SIZE && p->off % 8 == 0 &&
	       range_fits(p->off, p->len, head->blocks.off) && p->len % row_size == 0;
}

static bool head_is_sane(const struct index_head *head, uint64_t size)
{
	struct index_head copy = *head;
	uint64_t body, n_blocks, n_entries;
	size_t i;

	copy.crc = 0;
	if (head->magic != INDEX_MAGIC || head->version != INDEX_VERSION ||
	    checksum(0, &copy, sizeof(copy)) != head->crc || head->file_size != size)
		return false;
	if (head->blocks.off < INDEX_HEAD_SIZE || head->blocks.off % 4 != 0 ||
	    !range_fits(head->blocks.off, head->blocks.len, size))
		return false;
	body = head->blocks.off - INDEX_HEAD_SIZE;
	n_blocks = (body + INDEX_BLOCK - 1) >> INDEX_BLOCK_SHIFT;
	if (head->blocks.len != n_blocks * sizeof(uint32_t) ||
	    head->blocks.off + head->blocks.len + sizeof(uint32_t) != size)
		return false;
	for (i = 0; i < N_SECTIONS; i++) {
		if (!place_is_sane(head, &head->sections[i], row_sizes[i]))
			return false;
	}
	n_entries = head->sections[SECTION_ENTRIES].len / sizeof(struct index_row);
	return n_entries >= 1 && n_entries <= INDEX_ENTRIES_MAX &&
	       head->compression <= COMPRESSION_ZSTD && head->basis <= BASIS_SOCI &&
	       head->toc_alg <= DIGEST_SHA512;
}

static bool is_of_blob(const struct index_head *head, const struct digest *blob)
{
	return head->digest_alg == blob->alg &&
	       memcmp(head->digest, blob->bytes, sizeof(head->digest)) == 0;
}

static uint32_t rows(const struct index_head *head, enum index_section section)
{
	return (uint32_t)(head->sections[section].len / row_sizes[section]);
}

static int map_file(struct index *ix, int fd, struct err *e)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "cannot stat an index: %s", strerror(errno));
	if (st.st_size < INDEX_HEAD_SIZE)
		return err_set(e, -EBADMSG, "an index of %lld bytes",
			       (long long)st.st_size);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return err_set(e, -errno, "cannot map an index: %s", strerror(errno));
	ix->map = map;
	ix->size = (size_t)st.st_size;
	ix->end = (const void *)(ix->map + ix->size - sizeof(*ix->end));
	memcpy(&ix->head_copy, map, sizeof(ix->head_copy));
	ix->head = &ix->head_copy;
	return 0;
}

static int check_head(const struct index *ix, const struct digest *blob, struct err *e)
{
	const struct index_head *head = ix->head;

	if (!head_is_sane(head, ix->size))
		return err_set(e, -EBADMSG,
			       "the head of an index is damaged, or of another version");
	if (!is_of_blob(head, blob))
		return err_set(e, -EBADMSG, "an index of another layer");
	if (checksum(0, ix->map + head->blocks.off, head->blocks.len) != head->blocks_crc)
		return err_set(e, -EBADMSG, "the checksums of an index are damaged");
	if (*ix->end != INDEX_END)
		return err_set(e, -EBADMSG, "an index is cut short");
	return 0;
}

const char *index_basis_name(enum index_basis basis)
{
	static const char *const names[] = {
		[BASIS_STREAM] = "streamed",
		[BASIS_ESTARGZ] = "estargz",
		[BASIS_CHUNKED] = "zstd:chunked",
		[BASIS_SOCI] = "soci",
	};

	return names[basis];
}

int index_open(int fd, const struct digest *blob, struct index **out, struct err *e)
{
	struct index *ix = calloc(1, sizeof(*ix));
	const struct index_head *head;
	int rc = -ENOMEM;

	if (!ix)
		goto out;
	rc = map_file(ix, fd, e);
	if (rc == 0)
		rc = check_head(ix, blob, e);
	if (rc < 0)
		goto out;
	head = ix->head;
	ix->checked = calloc(head->blocks.len / sizeof(uint32_t) / 64 + 1,
			     sizeof(uint64_t));
	ix->damaged = calloc(1, sizeof(*ix->damaged));
	if (!ix->checked || !ix->damaged) {
		rc = -ENOMEM;
		goto out;
	}
	ix->info = (struct index_info){
		.blob = *blob,
		.basis = (enum index_basis)head->basis,
		.toc.alg = (enum digest_alg)head->toc_alg,
		.blob_size = head->blob_size,
		.decoded_size = head->decoded_size,
		.content_size = head->content_size,
		.n_entries = rows(head, SECTION_ENTRIES),
		.n_spans = rows(head, SECTION_SPANS),
		.n_foreign = rows(head, SECTION_FOREIGN),
		.n_skipped = head->n_skipped,
		.has_xattrs = head->has_xattrs,
		.has_sparse = head->sections[SECTION_EXTENTS].len > 0,
		.compression = head->compression,
	};
	memcpy(ix->info.toc.bytes, head->toc, sizeof(head->toc));
	*out = ix;
	ix = NULL;
out:
	close(fd);
	index_close(ix);
	return rc;
}

void index_close(struct index *ix)
{
	if (!ix)
		return;
	if (ix->map)
		munmap((void *)(uintptr_t)ix->map, ix->size);
	free(ix->checked);
	free(ix->damaged);
	free(ix);
}

const struct index_info *index_info(const struct index *ix)
{
	return &ix->info;
}

/* Walks up end at the root and walks down go up in number: no damage can make a loop. */
static bool row_is_sane(const struct index *ix, uint32_t id, const struct index_row *row)
{
	uint32_t n = ix->info.n_entries;

	if ((id > 0 ? row->parent >= id : row->parent != 0) || row->inode >= n)
		return false;
	if (S_ISDIR(row->mode))
		return row->inode == id && row->b <= n && (row->b == 0 || row->a > id) &&
		       range_fits(row->a, row->b, n);
	return id > 0;
}

/* @n units from number @first on; there is no number 0. */
static const void *unit(const struct index *ix, uint32_t first, uint32_t n)
{
	return first ? at(ix, SECTION_UNITS, (uint64_t)(first - 1) * INDEX_UNIT,
			  (uint64_t)n * INDEX_UNIT)
		     : NULL;
}

static int fill_strings(const struct index *ix, const struct index_row *row,
			struct entry *out)
{
	out->name = at(ix, SECTION_STRINGS, row->name, row->name_len);
	out->name_len = row->name_len;
	if (!out->name)
		return -EBADMSG;
	if (S_ISLNK(row->mode) || (row->flags & ENTRY_FOREIGN)) {
		out->link = at(ix, SECTION_STRINGS, row->a, row->b);
		out->link_len = row->b;
		if (!out->link)
			return -EBADMSG;
	}
	if (row->digest) {
		out->digest = unit(ix, row->digest, 1);
		if (!out->digest)
			return -EBADMSG;
	}
	return 0;
}

static const struct index_row *row_at(const struct index *ix, uint32_t id)
{
	return at(ix, SECTION_ENTRIES, (uint64_t)id * sizeof(struct index_row),
		  sizeof(struct index_row));
}

int index_entry(const struct index *ix, uint32_t id, struct entry *out)
{
	const struct index_row *row;

	if (id >= ix->info.n_entries)
		return -ENOENT;
	row = row_at(ix, id);
	if (!row || !row_is_sane(ix, id, row))
		return -EBADMSG;
	*out = (struct entry){
		.id = id,
		.inode = row->inode,
		.parent = row->parent,
		.flags = row->flags,
		.mode = row->mode,
		.uid = row->uid,
		.gid = row->gid,
		.nlink = row->nlink,
		.mtime = row->mtime,
		.mtime_ns = row->mtime_ns,
		.size = row->size,
		.data = row->data,
		.xattrs = row->xattrs,
	};
	if (S_ISDIR(row->mode)) {
		out->first_child = row->a;
		out->n_children = row->b;
	} else if (S_ISCHR(row->mode) || S_ISBLK(row->mode)) {
		out->rdev_major = row->a;
		out->rdev_minor = row->b;
	}
	return fill_strings(ix, row, out);
}

int index_find(const struct index *ix, const struct entry *dir, const char *name,
	       size_t len, struct entry *out)
{
	uint32_t low = dir->first_child, n = dir->n_children;

	while (n > 0) {
		uint32_t half = n / 2, id = low + half;
		const struct index_row *row = row_at(ix, id);
		const char *here;
		int diff;

		if (!row)
			return -EBADMSG;
		here = at(ix, SECTION_STRINGS, row->name, row->name_len);
		if (!here)
			return -EBADMSG;
		diff = memcmp(name, here, len < row->name_len ? len : row->name_len);
		if (diff == 0 && len == row->name_len)
			return index_entry(ix, id, out);
		if (diff > 0 || (diff == 0 && len > row->name_len)) {
			low = id + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return -ENOENT;
}

int index_xattr(const struct index *ix, uint64_t *pos, struct xattr *out)
{
	/*
	 * A position is a list's offset and, above it, how far in the list: so that it is
	 * one number, and begins as the number in the row.
	 */
	uint64_t list = *pos & UINT32_MAX, done = *pos >> 32;
	const unsigned char *p = at(ix, SECTION_XATTRS, list, 4);
	uint16_t name_len;
	uint32_t value_len, list_len;
	uint64_t rest;

	if (!p)
		return -EBADMSG;
	memcpy(&list_len, p, sizeof(list_len));
	if (!range_fits(done, 8, list_len))
		return -EBADMSG;
	p = at(ix, SECTION_XATTRS, list + 4 + done, 8);
	if (!p)
		return -EBADMSG;
	memcpy(&name_len, p, sizeof(name_len));
	memcpy(&value_len, p + 4, sizeof(value_len));
	rest = list_len - done - 8;
	if (!range_fits(name_len, value_len, rest))
		return -EBADMSG;
	p = at(ix, SECTION_XATTRS, list + 4 + done + 8, (uint64_t)name_len + value_len);
	if (!p)
		return -EBADMSG;
	out->name = (const char *)p;
	out->name_len = name_len;
	out->value = p + name_len;
	out->value_len = value_len;
	done += 8 + (uint64_t)name_len + value_len;
	*pos = done == list_len ? 0 : done << 32 | list;
	return 0;
}

/* The list of a sparse file: its rows and their number, or NULL. */
static const struct index_extent_row *extents(const struct index *ix, uint64_t off,
					      uint64_t *n, uint64_t *stored)
{
	const uint64_t *list = at(ix, SECTION_EXTENTS, off, 2 * sizeof(uint64_t));

	if (!list || off % 8 != 0 ||
	    list[0] > ix->head->sections[SECTION_EXTENTS].len /
			      sizeof(struct index_extent_row))
		return NULL;
	*n = list[0];
	*stored = list[1];
	return at(ix, SECTION_EXTENTS, off + 2 * sizeof(uint64_t),
		  *n * sizeof(struct index_extent_row));
}

static int check_in_archive(const struct index *ix, uint64_t data, uint64_t len)
{
	return range_fits(data, len, ix->info.decoded_size) ? 0 : -EBADMSG;
}

/* The first extent that ends behind @off; n if there is none. */
static uint64_t extent_behind(const struct index_extent_row *list, uint64_t n,
			      uint64_t off)
{
	uint64_t low = 0;

	while (n > 0) {
		uint64_t half = n / 2, end;

		if (add_fits(list[low + half].off, list[low + half].len, &end) &&
		    end <= off) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

static int sparse_extent(const struct index *ix, const struct entry *file, uint64_t off,
			 uint64_t *len, uint64_t *data)
{
	const struct index_extent_row *list, *x;
	uint64_t n, stored, i, gap = *len;

	list = extents(ix, file->data, &n, &stored);
	if (!list)
		return -EBADMSG;
	i = extent_behind(list, n, off);
	x = &list[i];
	if (i == n || x->off > off) {
		if (i < n)
			gap = x->off - off;
		if (*len > gap)
			*len = gap;
		*data = UINT64_MAX;
		return 0;
	}
	off -= x->off;
	if (off >= x->len || !add_fits(x->data, off, data))
		return -EBADMSG;
	if (*len > x->len - off)
		*len = x->len - off;
	return check_in_archive(ix, *data, *len);
}

int index_extent(const struct index *ix, const struct entry *file, uint64_t off,
		 uint64_t *len, uint64_t *data)
{
	if (*len > file->size - off)
		*len = file->size - off;
	if (file->flags & ENTRY_SPARSE)
		return sparse_extent(ix, file, off, len, data);
	if (!add_fits(file->data, off, data))
		return -EBADMSG;
	return check_in_archive(ix, *data, *len);
}

int index_stored(const struct index *ix, const struct entry *file, uint64_t *stored)
{
	uint64_t n;

	if (!(file->flags & ENTRY_SPARSE)) {
		*stored = file->size;
		return 0;
	}
	return extents(ix, file->data, &n, stored) ? 0 : -EBADMSG;
}

static const struct index_span_row *span_row(const struct index *ix, uint32_t i)
{
	const uint32_t *first = at(ix, SECTION_SPANS, (uint64_t)i * sizeof(*first),
				   sizeof(*first));

	return first ? unit(ix, *first, sizeof(struct index_span_row) / INDEX_UNIT)
		     : NULL;
}

int index_span(const struct index *ix, uint32_t i, struct span *out)
{
	const struct index_span_row *row;

	if (i >= ix->info.n_spans)
		return -ENOENT;
	row = span_row(ix, i);
	if (!row)
		return -EBADMSG;
	*out = (struct span){
		.kind = (enum span_kind)row->kind,
		.bits = row->bits,
		.digest_is_of_output = row->digest_is_of_output,
		.in = row->in,
		.in_len = row->in_len,
		.out = row->out,
		.out_len = row->out_len,
		.skip = row->skip,
		.window_len = row->window_len,
		.has_crc = row->has_crc,
		.crc = row->crc,
	};
	memcpy(out->digest, row->digest, sizeof(out->digest));
	if (row->window_len > 0) {
		out->window = at(ix, SECTION_WINDOWS, row->window, row->window_len);
		if (!out->window)
			return -EBADMSG;
	}
	if (!span_is_sane(out, ix->info.blob_size) ||
	    check_in_archive(ix, out->out, out->out_len) < 0)
		return -EBADMSG;
	return 0;
}

int index_span_at(const struct index *ix, uint64_t out_off, uint32_t *i)
{
	uint32_t low = 0, n = ix->info.n_spans;

	while (n > 0) { /* the first one that begins behind @out_off */
		uint32_t half = n / 2;
		const struct index_span_row *row = span_row(ix, low + half);

		if (!row)
			return -EBADMSG;
		if (row->out > out_off) {
			n = half;
		} else {
			low += half + 1;
			n -= half + 1;
		}
	}
	if (low == 0)
		return -EBADMSG;
	*i = low - 1;
	return 0;
}

int index_foreign(const struct index *ix, uint32_t i, uint32_t *id)
{
	const uint32_t *row;

	if (i >= ix->info.n_foreign)
		return -ENOENT;
	row = at(ix, SECTION_FOREIGN, (uint64_t)i * sizeof(*row), sizeof(*row));
	if (!row || *row >= ix->info.n_entries)
		return -EBADMSG;
	*id = *row;
	return 0;
}

int index_skipped(const struct index *ix, const char **text, size_t *len)
{
	*len = (size_t)ix->head->sections[SECTION_SKIPPED].len;
	*text = at(ix, SECTION_SKIPPED, 0, *len);
	return *text ? 0 : -EBADMSG;
}

bool index_take_damage(const struct index *ix)
{
	return __atomic_load_n(ix->damaged, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(ix->damaged, false, __ATOMIC_RELAXED);
}

static bool is_zero(const unsigned char *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

int index_verify(const struct index *ix)
{
	const size_t head = sizeof(*ix->head);
	uint64_t block, n = ix->head->blocks.len / sizeof(uint32_t);

	for (block = 0; block < n; block++) {
		if (check_block(ix, block) < 0)
			return -EBADMSG;
	}
	return is_zero(ix->map + head, INDEX_HEAD_SIZE - head) && is_whole(ix) ? 0
									       : -EBADMSG;
}
