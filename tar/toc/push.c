/* SPDX-License-Identifier: MIT */
#include "tar/toc/push.h"

#include <errno.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"
#include "tar/codec/window.h"
#include "tar/codec/zstd.h"
#include "tar/index/index.h"
#include "tar/toc/pushed_format.h"

#define NUMBER_MAX 10

struct push {
	const struct index *index;
	struct buf columns[N_PUSHED_COLUMNS];
	uint32_t n; /* entries with a name, and the root */
	uint32_t
		*first_link; /* of inodes without a name: the entry that has it; else 0 */
	uint64_t *lists; /* the xattrs of each list so far, as struct entry has them */
	uint32_t n_lists;
	int64_t time;
	uint64_t place;	 /* where the next content is expected */
	uint64_t in_end; /* of the span before */
	int rc;		 /* the first failure */
};

/* What goes wrong once stays in p->rc, so that each put need not be checked. */
static void put(struct push *p, enum pushed_column c, const void *data, size_t len)
{
	if (p->rc == 0)
		p->rc = buf_append(&p->columns[c], data, len);
}

static size_t format_number(uint8_t out[NUMBER_MAX], uint64_t n)
{
	size_t len = 0;

	for (; n >= 0x80; n >>= 7)
		out[len++] = (uint8_t)(n | 0x80);
	out[len++] = (uint8_t)n;
	return len;
}

static void put_number(struct push *p, enum pushed_column c, uint64_t n)
{
	uint8_t text[NUMBER_MAX];

	put(p, c, text, format_number(text, n));
}

static void put_signed(struct push *p, enum pushed_column c, int64_t n)
{
	put_number(p, c, ((uint64_t)n << 1) ^ (n < 0 ? UINT64_MAX : 0));
}

static void put_text(struct push *p, enum pushed_column c, const char *text, size_t len)
{
	put(p, c, text, len);
	put(p, c, "", 1);
}

/* Xattrs */

static void put_xattr_list(struct push *p, uint64_t pos)
{
	uint64_t at = pos;
	struct xattr x;
	uint64_t n = 0;

	for (; at && p->rc == 0; n++)
		p->rc = index_xattr(p->index, &at, &x);
	put_number(p, PUSHED_XATTR_LISTS, n);
	for (at = pos; at && p->rc == 0;) {
		p->rc = index_xattr(p->index, &at, &x);
		if (p->rc < 0)
			return;
		put_text(p, PUSHED_XATTR_LISTS, x.name, x.name_len);
		put_number(p, PUSHED_XATTR_LISTS, x.value_len);
		put(p, PUSHED_XATTR_LISTS, x.value, x.value_len);
	}
}

/* Neighbours share lists, so the search begins at the end. */
static void put_xattrs(struct push *p, const struct entry *e)
{
	uint32_t i = p->n_lists;

	if (e->xattrs == 0) {
		put_number(p, PUSHED_XATTRS, 0);
		return;
	}
	while (i > 0 && p->n_lists - i < 64 && p->lists[i - 1] != e->xattrs)
		i--;
	if (i == 0 || p->lists[i - 1] != e->xattrs) {
		p->lists[p->n_lists++] = e->xattrs;
		i = p->n_lists;
		put_xattr_list(p, e->xattrs);
	}
	put_number(p, PUSHED_XATTRS, i);
}

/* Entries */

static void put_regular(struct push *p, const struct entry *e)
{
	put_number(p, PUSHED_SIZES, e->size);
	if (e->size == 0)
		return;
	put_signed(p, PUSHED_PLACES, (int64_t)(e->data - p->place));
	p->place = pushed_next_place(e->data, e->size);
}

/* What an inode has. */
static void put_inode(struct push *p, const struct entry *e)
{
	uint16_t mode = htole16((uint16_t)e->mode);

	put(p, PUSHED_MODES, &mode, sizeof(mode));
	put_number(p, PUSHED_OWNERS, e->uid);
	put_number(p, PUSHED_OWNERS, e->gid);
	put_signed(p, PUSHED_TIMES, (int64_t)((uint64_t)e->mtime - (uint64_t)p->time));
	p->time = e->mtime;
	put_number(p, PUSHED_NANOS, e->mtime_ns);
	put_xattrs(p, e);
	if (S_ISREG(e->mode)) {
		put_regular(p, e);
	} else if (S_ISLNK(e->mode)) {
		put_text(p, PUSHED_TEXTS, e->link, e->link_len);
	} else if (S_ISCHR(e->mode) || S_ISBLK(e->mode)) {
		put_number(p, PUSHED_DEVICES, e->rdev_major);
		put_number(p, PUSHED_DEVICES, e->rdev_minor);
	}
}

static void put_own(struct push *p, const struct entry *e)
{
	uint8_t flags = 0;

	if (e->flags & ENTRY_IMPLIED)
		flags |= PUSHED_IMPLIED;
	if (e->flags & ENTRY_FOREIGN)
		flags |= PUSHED_FOREIGN;
	put(p, PUSHED_FLAGS, &flags, 1);
	if (flags & PUSHED_FOREIGN)
		put_text(p, PUSHED_TEXTS, e->link, e->link_len);
	else if (!(flags & PUSHED_IMPLIED))
		put_inode(p, e);
}

static void put_link(struct push *p, uint32_t target)
{
	uint8_t flags = PUSHED_HARDLINK;

	put(p, PUSHED_FLAGS, &flags, 1);
	put_number(p, PUSHED_TARGETS, target);
}

static void put_entry(struct push *p, uint32_t id)
{
	struct entry e;

	p->rc = index_entry(p->index, id, &e);
	if (p->rc < 0)
		return;
	if (id > 0)
		put_text(p, PUSHED_NAMES, e.name, e.name_len);
	put_number(p, PUSHED_CHILDREN, e.n_children);
	if (e.inode == id)
		put_own(p, &e);
	else
		put_link(p, e.inode);
}

/* Spans */

static void put_window(struct push *p, const struct span *sp)
{
	struct window *w = malloc(sizeof(*w));
	uint8_t *runs = malloc(WINDOW_RUNS_MAX);
	ssize_t n = w && runs ? 0 : -ENOMEM;

	if (n == 0)
		n = window_unpack(sp->window, sp->window_len, w);
	if (n == 0)
		n = window_write_runs(w, runs);
	if (n < 0) {
		p->rc = (int)n;
	} else {
		put_number(p, PUSHED_WINDOWS, (uint64_t)n);
		put(p, PUSHED_WINDOWS, runs, (size_t)n);
	}
	free(runs);
	free(w);
}

static void put_span(struct push *p, uint32_t i)
{
	uint8_t of_output, has_crc;
	uint32_t crc;
	struct span sp;

	p->rc = index_span(p->index, i, &sp);
	if (p->rc < 0)
		return;
	put_signed(p, PUSHED_SPANS, (int64_t)(sp.in - p->in_end));
	p->in_end = sp.in + sp.in_len;
	put_number(p, PUSHED_SPANS, sp.in_len);
	put_number(p, PUSHED_SPANS, sp.out_len);
	put_number(p, PUSHED_SPANS, sp.skip);
	put_number(p, PUSHED_SPANS, sp.kind);
	put_number(p, PUSHED_SPANS, sp.bits);
	of_output = sp.digest_is_of_output;
	has_crc = sp.has_crc;
	crc = htole32(sp.has_crc ? sp.crc : 0);
	put(p, PUSHED_SUMS, &of_output, 1);
	put(p, PUSHED_SUMS, sp.digest, sizeof(sp.digest));
	put(p, PUSHED_SUMS, &has_crc, 1);
	put(p, PUSHED_SUMS, &crc, sizeof(crc));
	put_window(p, &sp);
}

/* The whole */

static int write_number(struct buf *out, uint64_t n)
{
	uint8_t text[NUMBER_MAX];

	return buf_append(out, text, format_number(text, n));
}

static int write_head(const struct push *p, struct buf *out)
{
	const struct index_info *info = index_info(p->index);
	const uint64_t numbers[] = {
		info->blob.alg,	 info->blob_size, info->decoded_size, info->compression,
		info->n_entries, info->n_spans,	  info->n_skipped,
	};
	size_t i;
	int rc = buf_append(out, PUSHED_MAGIC, PUSHED_MAGIC_LEN);

	for (i = 0; rc == 0 && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		rc = write_number(out, numbers[i]);
	if (rc == 0)
		rc = buf_append(out, info->blob.bytes, digest_size(info->blob.alg));
	for (i = 0; rc == 0 && i < N_PUSHED_COLUMNS; i++)
		rc = write_number(out, p->columns[i].len);
	for (i = 0; rc == 0 && i < N_PUSHED_COLUMNS; i++)
		rc = buf_append(out, p->columns[i].data, p->columns[i].len);
	return rc;
}

/*
 * A reader compares each file with the header in the layer that names it. So there must be one:
 * not for an inode that has lost its name to a later entry, but not the links to it, all of
 * which are at the end; and for files with holes the formats are many.
 */
static int check_kind(const struct index *ix, struct err *e)
{
	const struct index_info *info = index_info(ix);
	struct entry last;
	int rc = index_entry(ix, info->n_entries - 1, &last);

	if (rc < 0)
		return rc;
	if (info->has_sparse)
		return err_set(e, -ENOTSUP, "it has sparse files");
	if (info->n_entries > 1 && last.name_len == 0)
		return err_set(e, -ENOTSUP, "a file of it with hard links was replaced");
	if (info->n_entries > PUSHED_ENTRIES_MAX)
		return -E2BIG;
	return 0;
}

static int push_fill(struct push *p)
{
	const struct index_info *info = index_info(p->index);
	const char *text;
	size_t len;
	uint32_t i;

	p->lists = calloc((size_t)info->n_entries + 1, sizeof(*p->lists));
	p->rc = p->lists ? 0 : -ENOMEM;
	for (i = 0; i < info->n_entries && p->rc == 0; i++)
		put_entry(p, i);
	for (i = 0; i < info->n_spans && p->rc == 0; i++)
		put_span(p, i);
	if (p->rc == 0)
		p->rc = index_skipped(p->index, &text, &len);
	if (p->rc == 0)
		put(p, PUSHED_SKIPPED, text, len);
	return p->rc;
}

/* The first thing in the column of lists is their number, which is known at the end. */
static int prepend_count(struct push *p)
{
	struct buf lists = p->columns[PUSHED_XATTR_LISTS];
	int rc;

	buf_init(&p->columns[PUSHED_XATTR_LISTS], PUSHED_RAW_MAX);
	rc = write_number(&p->columns[PUSHED_XATTR_LISTS], p->n_lists);
	if (rc == 0)
		rc = buf_append(&p->columns[PUSHED_XATTR_LISTS], lists.data, lists.len);
	buf_release(&lists);
	return rc;
}

int push_write_raw(const struct index *ix, struct buf *out, struct err *e)
{
	struct push p = {.index = ix};
	size_t i;
	int rc;

	for (i = 0; i < N_PUSHED_COLUMNS; i++)
		buf_init(&p.columns[i], PUSHED_RAW_MAX);
	rc = check_kind(ix, e);
	if (rc == 0)
		rc = push_fill(&p);
	if (rc == 0)
		rc = prepend_count(&p);
	if (rc == 0)
		rc = write_head(&p, out);
	for (i = 0; i < N_PUSHED_COLUMNS; i++)
		buf_release(&p.columns[i]);
	free(p.lists);
	if (rc == -ENOTSUP)
		return rc;
	if (rc == -E2BIG)
		return err_set(e, rc, "its index is too large to be pushed");
	return rc < 0 ? err_set(e, rc, "its index cannot be read: %s", strerror(-rc)) : 0;
}

int push_write(const struct index *ix, struct buf *out, struct err *e)
{
	struct buf raw;
	int rc;

	buf_init(&raw, PUSHED_RAW_MAX);
	rc = push_write_raw(ix, &raw, e);
	if (rc == 0) {
		rc = zstd_pack(raw.data, raw.len, out);
		if (rc < 0)
			err_set(e, rc, "its index cannot be packed: %s", strerror(-rc));
	}
	buf_release(&raw);
	return rc;
}
