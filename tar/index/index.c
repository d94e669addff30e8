/* SPDX-License-Identifier: MIT */
#include "tar/index/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/num.h"
#include "tar/index/format.h"
#include "tar/index/index_map.h"

struct index {
	struct index_map map;
	struct index_info info;
};

const char *index_basis_name(enum index_basis basis)
{
	static const char *const names[] = {
		[BASIS_STREAM] = "streamed",	  [BASIS_ESTARGZ] = "estargz",
		[BASIS_CHUNKED] = "zstd:chunked", [BASIS_SOCI] = "soci",
		[BASIS_PUSHED] = "pushed",
	};

	return names[basis];
}

int index_open(int fd, const struct digest *blob, struct index **out, struct err *e)
{
	struct index *ix = calloc(1, sizeof(*ix));
	const struct index_head *head;
	int rc = ix ? index_map_init(&ix->map, fd, blob, e) : -ENOMEM;

	if (rc < 0)
		goto out;
	head = &ix->map.head;
	if (head->compression > COMPRESSION_ZSTD || head->basis > BASIS_PUSHED) {
		rc = err_set(e, -EBADMSG, "the head of an index is damaged");
		goto out;
	}
	ix->info = (struct index_info){
		.blob = *blob,
		.basis = (enum index_basis)head->basis,
		.toc.alg = (enum digest_alg)head->toc_alg,
		.blob_size = head->blob_size,
		.decoded_size = head->decoded_size,
		.content_size = head->content_size,
		.file_size = head->file_size,
		.n_entries = index_map_rows(&ix->map, SECTION_ENTRIES),
		.n_spans = index_map_rows(&ix->map, SECTION_SPANS),
		.n_foreign = index_map_rows(&ix->map, SECTION_FOREIGN),
		.n_skipped = head->n_skipped,
		.has_xattrs = head->has_xattrs,
		.has_sparse = head->has_sparse,
		.compression = (enum compression)head->compression,
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
	index_map_release(&ix->map);
	free(ix);
}

const struct index_info *index_info(const struct index *ix)
{
	return &ix->info;
}

/*
 * A walk up ends at the root, and a walk down ascends in number, so damage cannot make a
 * loop.
 */
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

/* Returns [off, off + len) of the item that begins at @unit. There is no unit 0. */
static const void *units_at(const struct index *ix, uint64_t unit, uint64_t off,
			    uint64_t len)
{
	return unit && unit <= UINT32_MAX
		       ? index_map_at(&ix->map, SECTION_UNITS,
				      (unit - 1) * INDEX_UNIT + off, len)
		       : NULL;
}

static int entry_set_strings(const struct index *ix, const struct index_row *row,
			     struct entry *out)
{
	out->name = index_map_at(&ix->map, SECTION_STRINGS, row->name, row->name_len);
	out->name_len = row->name_len;
	if (!out->name)
		return -EBADMSG;
	if (S_ISLNK(row->mode) || (row->flags & ENTRY_FOREIGN)) {
		out->link = index_map_at(&ix->map, SECTION_STRINGS, row->a, row->b);
		out->link_len = row->b;
		if (!out->link)
			return -EBADMSG;
	}
	if (row->digest) {
		out->digest = units_at(ix, row->digest, 0, INDEX_UNIT);
		if (!out->digest)
			return -EBADMSG;
	}
	return 0;
}

static const struct index_row *row_at(const struct index *ix, uint32_t id)
{
	return index_map_at(&ix->map, SECTION_ENTRIES,
			    (uint64_t)id * sizeof(struct index_row),
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
	return entry_set_strings(ix, row, out);
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
		here = index_map_at(&ix->map, SECTION_STRINGS, row->name, row->name_len);
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
	 * A position is the unit of a list and, in the upper half, how far the walk is in
	 * it. So it is one number, and starts as the number in the row.
	 */
	uint64_t list = *pos & UINT32_MAX, done = *pos >> 32;
	const unsigned char *p = units_at(ix, list, 0, 4);
	uint16_t name_len;
	uint32_t value_len, list_len;
	uint64_t rest;

	if (!p)
		return -EBADMSG;
	memcpy(&list_len, p, sizeof(list_len));
	if (!range_fits(done, 8, list_len))
		return -EBADMSG;
	p = units_at(ix, list, 4 + done, 8);
	if (!p)
		return -EBADMSG;
	memcpy(&name_len, p, sizeof(name_len));
	memcpy(&value_len, p + 4, sizeof(value_len));
	rest = list_len - done - 8;
	if (!range_fits(name_len, value_len, rest))
		return -EBADMSG;
	p = units_at(ix, list, 4 + done + 8, (uint64_t)name_len + value_len);
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

/* The list of a sparse file: returns its rows and their number, or NULL. */
static const struct index_extent_row *extent_list(const struct index *ix, uint64_t unit,
						  uint64_t *n, uint64_t *stored)
{
	const uint64_t *list = units_at(ix, unit, 0, 2 * sizeof(*list));

	if (!list || list[0] > ix->map.head.sections[SECTION_UNITS].len /
				       sizeof(struct index_extent_row))
		return NULL;
	*n = list[0];
	*stored = list[1];
	return units_at(ix, unit, 2 * sizeof(*list),
			*n * sizeof(struct index_extent_row));
}

static int check_decoded_range(const struct index *ix, uint64_t data, uint64_t len)
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

static int extent_in_sparse(const struct index *ix, const struct entry *file,
			    uint64_t off, uint64_t *len, uint64_t *data)
{
	const struct index_extent_row *list, *x;
	uint64_t n, stored, i, gap = *len;

	list = extent_list(ix, file->data, &n, &stored);
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
	return check_decoded_range(ix, *data, *len);
}

int index_extent(const struct index *ix, const struct entry *file, uint64_t off,
		 uint64_t *len, uint64_t *data)
{
	if (*len > file->size - off)
		*len = file->size - off;
	if (file->flags & ENTRY_SPARSE)
		return extent_in_sparse(ix, file, off, len, data);
	if (!add_fits(file->data, off, data))
		return -EBADMSG;
	return check_decoded_range(ix, *data, *len);
}

int index_stored(const struct index *ix, const struct entry *file, uint64_t *stored)
{
	uint64_t n;

	if (!(file->flags & ENTRY_SPARSE)) {
		*stored = file->size;
		return 0;
	}
	return extent_list(ix, file->data, &n, stored) ? 0 : -EBADMSG;
}

static const struct index_span_row *span_row_at(const struct index *ix, uint32_t i)
{
	const uint32_t *first = index_map_at(
		&ix->map, SECTION_SPANS, (uint64_t)i * sizeof(*first), sizeof(*first));

	return first ? units_at(ix, *first, 0, sizeof(struct index_span_row)) : NULL;
}

int index_span(const struct index *ix, uint32_t i, struct span *out)
{
	const struct index_span_row *row;

	if (i >= ix->info.n_spans)
		return -ENOENT;
	row = span_row_at(ix, i);
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
		out->window = units_at(ix, row->window, 0, row->window_len);
		if (!out->window)
			return -EBADMSG;
	}
	if (!span_is_sane(out, ix->info.blob_size) ||
	    check_decoded_range(ix, out->out, out->out_len) < 0)
		return -EBADMSG;
	return 0;
}

int index_span_at(const struct index *ix, uint64_t out_off, uint32_t *i)
{
	uint32_t low = 0, n = ix->info.n_spans;

	while (n > 0) { /* find the first span that begins behind @out_off */
		uint32_t half = n / 2;
		const struct index_span_row *row = span_row_at(ix, low + half);

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

int index_span_of(const struct index *ix, uint64_t out_off, uint32_t *i, struct span *out)
{
	int rc = index_span_at(ix, out_off, i);

	if (rc == 0)
		rc = index_span(ix, *i, out);
	if (rc == 0 && out_off - out->out >= out->out_len)
		rc = -EBADMSG;
	return rc;
}

int index_foreign(const struct index *ix, uint32_t i, uint32_t *id)
{
	const uint32_t *row;

	if (i >= ix->info.n_foreign)
		return -ENOENT;
	row = index_map_at(&ix->map, SECTION_FOREIGN, (uint64_t)i * sizeof(*row),
			   sizeof(*row));
	if (!row || *row >= ix->info.n_entries)
		return -EBADMSG;
	*id = *row;
	return 0;
}

int index_skipped(const struct index *ix, const char **text, size_t *len)
{
	*len = (size_t)ix->map.head.sections[SECTION_SKIPPED].len;
	*text = index_map_at(&ix->map, SECTION_SKIPPED, 0, *len);
	return *text ? 0 : -EBADMSG;
}

bool index_take_damage(const struct index *ix)
{
	return index_map_take_damage(&ix->map);
}

int index_verify(const struct index *ix)
{
	return index_map_verify(&ix->map);
}
