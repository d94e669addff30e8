/* SPDX-License-Identifier: MIT */
/*
 * How nodes are ordered.
 *
 * A counting sort by parent makes the children of each directory a run of `kids`. From
 * the root on, each run is sorted by name and appended to `order`. So `order` is both the
 * queue of a breadth-first walk and the table of the index. What the walk does not reach
 * (replaced nodes and everything below them) is not in the index, except for the inodes
 * of reached hard links: these are appended behind the last name.
 *
 * Cost: 12 bytes of memory for a node, and n log n comparisons within directories, but
 * only n if the archive was sorted already.
 */
#include "tar/index/flat.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/control.h"
#include "base/num.h"
#include "tar/archive/entry.h"
#include "tar/codec/span.h"
#include "tar/index/index.h"
#include "tar/index/draft.h"
#include "tar/index/writer.h"

#define LIST_MAX  (64u << 20) /* more than any reader reports of one entry */
#define SPANS_MAX (INDEX_ENTRIES_MAX * sizeof(uint32_t)) /* a file has one or more */

void flat_init(struct flat *f, size_t skipped_max)
{
	memset(f, 0, sizeof(*f));
	buf_init(&f->list, LIST_MAX);
	buf_init(&f->last, LIST_MAX);
	buf_init(&f->spans, SPANS_MAX);
	buf_init(&f->skipped, skipped_max);
}

void flat_release(struct flat *f)
{
	buf_release(&f->list);
	buf_release(&f->last);
	buf_release(&f->spans);
	buf_release(&f->skipped);
}

/* Writes an item of UNITS. Returns its unit. */
static uint32_t put_units(struct writer *w, const void *data, size_t len)
{
	static const char zeros[INDEX_UNIT];
	uint64_t at = writer_tell(w);

	writer_append(w, data, len);
	writer_append(w, zeros, -len % INDEX_UNIT);
	return (uint32_t)(at / INDEX_UNIT) + 1;
}

/* Linux has xattrs in these name spaces only. */
static bool is_linux_xattr(const char *name)
{
	static const char *const spaces[] = {"user.", "trusted.", "security.", "system."};
	size_t i;

	for (i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		size_t len = strlen(spaces[i]);

		if (strncmp(name, spaces[i], len) == 0 && name[len])
			return true;
	}
	return false;
}

static int append_xattr(struct buf *b, const struct tar_xattr *x)
{
	struct {
		uint16_t name_len;
		uint16_t zero;
		uint32_t value_len;
	} head = {(uint16_t)strlen(x->name), 0, (uint32_t)x->len};
	int rc = buf_append(b, &head, sizeof(head));

	if (rc == 0)
		rc = buf_append(b, x->name, head.name_len);
	if (rc == 0)
		rc = buf_append(b, x->value, x->len);
	return rc;
}

int flat_add_xattrs(struct flat *f, struct writer *w, const struct tar_xattr *xattrs,
		    size_t n, uint32_t *unit)
{
	struct buf swap = f->last;
	uint32_t len = 0;
	size_t i;
	int rc;

	buf_clear(&f->list);
	rc = buf_append(&f->list, &len, sizeof(len));
	for (i = 0; rc == 0 && i < n; i++) {
		if (is_linux_xattr(xattrs[i].name))
			rc = append_xattr(&f->list, &xattrs[i]);
	}
	if (rc < 0)
		return rc;
	*unit = 0;
	len = (uint32_t)(f->list.len - sizeof(len));
	if (len == 0)
		return 0;
	memcpy(f->list.data, &len, sizeof(len));
	if (f->list.len != f->last.len ||
	    memcmp(f->list.data, f->last.data, f->list.len) != 0) {
		f->xattrs_len += f->list.len;
		if (f->xattrs_len > FLAT_XATTRS_MAX)
			return -E2BIG;
		f->last_unit = put_units(w, f->list.data, f->list.len);
		f->last = f->list;
		f->list = swap;
	}
	*unit = f->last_unit;
	return 0;
}

int flat_add_extents(struct flat *f, struct writer *w, const struct tar_entry *e,
		     uint64_t *unit)
{
	uint64_t head[2] = {0, e->stored}, data = e->data;
	size_t i;
	int rc;

	for (i = 0; i < e->n_extents; i++)
		head[0] += e->extents[i].len > 0;
	buf_clear(&f->list);
	rc = buf_append(&f->list, head, sizeof(head));
	for (i = 0; rc == 0 && i < e->n_extents; i++) {
		struct index_extent_row row = {e->extents[i].off, e->extents[i].len,
					       data};

		/* many maps end with an empty extent, which would split a hole in two */
		if (row.len == 0)
			continue;
		data += row.len;
		rc = buf_append(&f->list, &row, sizeof(row));
	}
	f->extents_len += f->list.len;
	if (rc == 0 && f->extents_len > FLAT_EXTENTS_MAX)
		rc = -E2BIG;
	if (rc == 0)
		*unit = put_units(w, f->list.data, f->list.len);
	return rc;
}

int flat_add_span(struct flat *f, struct writer *w, const struct span *sp)
{
	struct index_span_row row = {
		.in = sp->in,
		.in_len = sp->in_len,
		.out = sp->out,
		.out_len = (uint32_t)sp->out_len,
		.skip = sp->skip,
		.window_len = (uint32_t)sp->window_len,
		.crc = sp->crc,
		.kind = (uint8_t)sp->kind,
		.bits = sp->bits,
		.has_crc = sp->has_crc,
		.digest_is_of_output = sp->digest_is_of_output,
	};
	uint32_t unit;

	if (sp->window_len > 0)
		row.window = put_units(w, sp->window, sp->window_len);
	memcpy(row.digest, sp->digest, sizeof(row.digest));
	unit = put_units(w, &row, sizeof(row));
	return buf_append(&f->spans, &unit, sizeof(unit));
}

int flat_skip(struct flat *f, const char *path, size_t len, const char *fmt, ...)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "%.*s%s: ", len > 120 ? 120 : (int)len, path,
			 len > 120 ? "..." : "");
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	control_mask(line); /* one line each, whatever the names contain */
	(void)buf_printf(&f->skipped, "%s\n", line);
	f->n_skipped++;
	return 0;
}

void flat_add_skipped(struct flat *f, uint32_t n, const char *text, size_t len)
{
	char line[256];
	const char *end;

	for (; len > 0; len -= (size_t)(end - text), text = end) {
		end = memchr(text, '\n', len);
		end = end ? end + 1 : text + len;
		snprintf(line, sizeof(line), "%.*s", (int)(end - text), text);
		line[strcspn(line, "\n")] = '\0';
		control_mask(line);
		(void)buf_printf(&f->skipped, "%s\n", line);
	}
	f->n_skipped += n;
}

/* The order of the nodes in the index. */
struct order {
	uint32_t *kids; /* nodes grouped by parent */
	/* of a node: the start of its run in kids; later its new number */
	uint32_t *first;
	uint32_t *list; /* old numbers in the new order */
	uint32_t n_named;
	uint32_t n;
};

#define NOT_REACHED UINT32_MAX

static void order_release(struct order *o)
{
	free(o->kids);
	free(o->first);
	free(o->list);
}

static int compare_names(const void *a, const void *b, void *arg)
{
	const struct draft *dr = arg;
	const struct index_row *ra = &dr->rows[*(const uint32_t *)a];
	const struct index_row *rb = &dr->rows[*(const uint32_t *)b];
	size_t len = ra->name_len < rb->name_len ? ra->name_len : rb->name_len;
	int diff = memcmp(dr->strings.data + ra->name, dr->strings.data + rb->name, len);

	return diff ? diff : (int)ra->name_len - (int)rb->name_len;
}

static void sort_children(struct draft *dr, uint32_t *run, uint32_t n)
{
	uint32_t i;

	for (i = 1; i < n && compare_names(&run[i - 1], &run[i], dr) < 0; i++)
		;
	if (i < n)
		qsort_r(run, n, sizeof(*run), compare_names, dr);
}

/* kids: all nodes with a name, by parent; first[i]: the start of the run of i. */
static void order_group(const struct draft *dr, struct order *o)
{
	uint32_t i, sum = 0;

	memset(o->first, 0, dr->n * sizeof(*o->first));
	for (i = 1; i < dr->n; i++) {
		if (!(dr->rows[i].flags & NODE_DEAD))
			o->first[dr->rows[i].parent]++;
	}
	for (i = 0; i < dr->n; i++) {
		sum += o->first[i];
		o->first[i] = sum;
	}
	for (i = dr->n; --i > 0;) {
		if (!(dr->rows[i].flags & NODE_DEAD))
			o->kids[--o->first[dr->rows[i].parent]] = i;
	}
}

/* Breadth first from the root. A directory's row gets its run, in new numbers. */
static void order_breadth_first(struct draft *dr, struct order *o)
{
	uint32_t at;

	o->list[0] = 0;
	o->n = 1;
	for (at = 0; at < o->n; at++) {
		uint32_t id = o->list[at], begin, end, i;
		struct index_row *row = &dr->rows[id];

		if (!node_is_dir(row))
			continue;
		begin = o->first[id];
		for (end = begin; end < dr->n && o->kids[end] != NOT_REACHED &&
				  dr->rows[o->kids[end]].parent == id;
		     end++)
			;
		sort_children(dr, o->kids + begin, end - begin);
		row->a = o->n;
		row->b = end - begin;
		row->size = row->b;
		for (i = begin; i < end; i++)
			o->list[o->n++] = o->kids[i];
	}
	o->n_named = o->n;
}

/* Sets new numbers in `first`, counts nlink, and appends inodes without a name. */
static void order_number(struct draft *dr, struct order *o)
{
	uint32_t i;

	memset(o->first, 0xff, dr->n * sizeof(*o->first));
	for (i = 0; i < dr->n; i++)
		dr->rows[i].nlink = 0;
	for (i = 0; i < o->n_named; i++)
		o->first[o->list[i]] = i;
	for (i = 0; i < o->n_named; i++) {
		uint32_t id = o->list[i], inode = dr->rows[id].inode;

		if (o->first[inode] == NOT_REACHED) {
			dr->rows[inode].name_len = 0;
			o->first[inode] = o->n;
			o->list[o->n++] = inode;
		}
		/* A whiteout is no name of a file. */
		if ((dr->rows[id].flags & ENTRY_WHITEOUT) && !node_is_dir(&dr->rows[id]))
			continue;
		dr->rows[inode].nlink++;
		if (id != 0 && node_is_dir(&dr->rows[id]))
			dr->rows[dr->rows[id].parent].nlink++;
	}
	for (i = 0; i < o->n; i++) {
		struct index_row *row = &dr->rows[o->list[i]];

		if (node_is_dir(row))
			row->nlink++; /* its own `.` */
		else if (row->nlink == 0)
			row->nlink = 1;
	}
}

static int order_make(struct draft *dr, struct order *o)
{
	/* calloc checks the products; kids after the last named node stay NOT_REACHED */
	o->kids = calloc(dr->n, sizeof(*o->kids));
	o->first = calloc(dr->n, sizeof(*o->first));
	o->list = calloc(dr->n, sizeof(*o->list));
	if (!o->kids || !o->first || !o->list)
		return -ENOMEM;
	memset(o->kids, 0xff, dr->n * sizeof(*o->kids));
	order_group(dr, o);
	order_breadth_first(dr, o);
	order_number(dr, o);
	return 0;
}

/* Writes the rows in order, and sets the fields of the head that depend on them. */
static int write_rows(const struct draft *dr, const struct order *o, struct writer *w,
		      struct index_head *head, struct buf *foreign)
{
	uint32_t i;
	int rc = 0;

	writer_begin(w, SECTION_ENTRIES);
	for (i = 0; rc == 0 && i < o->n; i++) {
		struct index_row row = dr->rows[o->list[i]];
		bool is_link = row.inode != o->list[i];

		row.flags &= (uint16_t)~NODE_DEAD;
		row.parent = i < o->n_named ? o->first[row.parent] : 0;
		row.inode = o->first[row.inode];
		/* so that a listing knows the type without a second lookup */
		if (is_link)
			row.mode = dr->rows[o->list[row.inode]].mode;
		if (row.xattrs)
			head->has_xattrs = 1;
		if (row.flags & ENTRY_SPARSE)
			head->has_sparse = 1;
		if (S_ISREG(row.mode) && !is_link)
			head->content_size = add_sizes(head->content_size, row.size);
		if (row.flags & ENTRY_FOREIGN)
			rc = buf_append(foreign, &i, sizeof(i));
		writer_append(w, &row, sizeof(row));
	}
	return rc;
}

static void write_section(struct writer *w, enum index_section section,
			  const struct buf *b)
{
	writer_begin(w, section);
	writer_append(w, b->data, b->len);
}

int flat_write(struct flat *f, struct draft *dr, struct writer *w,
	       const struct index_info *info)
{
	struct index_head head = {
		.n_skipped = f->n_skipped,
		.blob_size = info->blob_size,
		.decoded_size = info->decoded_size,
		.compression = (uint8_t)info->compression,
		.digest_alg = (uint8_t)info->blob.alg,
		.basis = (uint8_t)info->basis,
		.toc_alg = (uint8_t)info->toc.alg,
	};
	struct order order = {0};
	struct buf foreign;
	int rc;

	memcpy(head.digest, info->blob.bytes, sizeof(head.digest));
	memcpy(head.toc, info->toc.bytes, sizeof(head.toc));
	buf_init(&foreign, INDEX_ENTRIES_MAX * sizeof(uint32_t));
	draft_seal(dr);
	rc = order_make(dr, &order);
	if (rc == 0)
		rc = write_rows(dr, &order, w, &head, &foreign);
	if (rc < 0)
		goto out;
	write_section(w, SECTION_STRINGS, &dr->strings);
	write_section(w, SECTION_SPANS, &f->spans);
	write_section(w, SECTION_FOREIGN, &foreign);
	write_section(w, SECTION_SKIPPED, &f->skipped);
	rc = writer_finish(w, &head);
out:
	order_release(&order);
	buf_release(&foreign);
	return rc;
}
