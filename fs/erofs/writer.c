/* SPDX-License-Identifier: MIT */
/*
 * One walk in the order of find(1): a directory, its names in order, below each directory
 * before the next name. Contents get their blocks in this order, so that a program that reads
 * all files reads the image in order.
 *
 * A directory is listed once. Its files are laid down while it is listed, then the blocks
 * with their names, so that these can tell where the files are. The directories in it come
 * later; their nids are filled in then. Where contents begin is known at the end, so the
 * addresses of files are filled in last, from the rows that reading needs anyway.
 *
 * In memory are the names of the directories on the way down (32 bytes each; their text
 * stays in the index), the inodes with several names, and some pages of the two files.
 */
#include "fs/erofs/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/num.h"
#include "fs/erofs/dirents.h"
#include "fs/erofs/extents.h"
#include "fs/erofs/format.h"
#include "fs/erofs/inode_map.h"
#include "fs/erofs/pages.h"
#include "fs/erofs/tree.h"
#include "fs/erofs/xattrs.h"

#define ROOT_AT (EROFS_SUPER_AT + EROFS_SUPER_SIZE)
/* What `slot` of an extent can count. */
#define META_MAX ((UINT64_C(4) << 32) - (1 << 20))
/* A hole is a multiple of this part of its file, so holes cost 1 KiB at most. */
#define CHUNKS_MAX 256

/* A directory on the way down. */
struct level {
	size_t first; /* in writer.children */
	size_t next;
	uint32_t nid;
};

struct writer {
	const struct erofs_tree *tree;
	const bool *cancelled;
	struct pages *meta, *extents;
	uint64_t at; /* the end of what is laid down */
	uint64_t n_inodes, n_extents, n_blocks;
	bool has_chunks;
	uint32_t n_dropped;
	size_t root_xattrs;
	struct inode_map linked;
	struct buf xattrs; /* of the inode at hand */
	struct child *children;
	size_t n_children, first_child; /* the first of the directory that is listed */
	struct level *levels;
	size_t n_levels;
};

/* INODES */

struct draft {
	uint64_t at;
	uint32_t layout;
	uint32_t place;
	uint64_t size;
	uint32_t nlink;
};

/* The inode with its xattrs. */
static int put_inode(struct writer *w, const struct erofs_inode *from,
		     const struct draft *d)
{
	unsigned char b[EROFS_INODE_SIZE] = {0};
	int rc;

	if (d->at + EROFS_INODE_SIZE + w->xattrs.len > META_MAX)
		return -EFBIG;
	w->n_inodes++;
	put_le16(b, (uint16_t)(d->layout << 1 | 1));
	put_le16(b + 2, xattrs_count(w->xattrs.len));
	put_le16(b + 4, (uint16_t)from->mode);
	put_le64(b + 8, d->size);
	put_le32(b + EROFS_PLACE_AT, d->place);
	put_le32(b + 20, (uint32_t)w->n_inodes);
	put_le32(b + 24, from->uid);
	put_le32(b + 28, from->gid);
	put_le64(b + 32, (uint64_t)from->mtime);
	put_le32(b + 40, from->mtime_ns);
	put_le32(b + 44, d->nlink);
	rc = pages_put(w->meta, d->at, b, sizeof(b));
	return rc < 0 ? rc
		      : pages_put(w->meta, d->at + sizeof(b), w->xattrs.data,
				  w->xattrs.len);
}

/* What follows an inode may not cross the border of a block. */
static bool tail_fits(const struct writer *w, uint64_t inode, uint64_t tail)
{
	return (inode + EROFS_INODE_SIZE + w->xattrs.len) % EROFS_BLOCK + tail <=
	       EROFS_BLOCK;
}

/* Where an inode with a tail can be, after @at. False: nowhere. */
static bool find_place(const struct writer *w, uint64_t at, uint64_t tail, uint64_t *out)
{
	*out = round_up(at, EROFS_NID_UNIT);
	if (tail_fits(w, *out, tail))
		return true;
	*out = round_up(at, EROFS_BLOCK);
	return tail_fits(w, *out, tail);
}

static int put_symlink(struct writer *w, const struct erofs_inode *from, struct draft *d)
{
	uint64_t text;
	int rc;

	d->size = from->link_len;
	if (find_place(w, w->at, from->link_len, &d->at)) {
		d->layout = EROFS_INLINE;
		text = d->at + EROFS_INODE_SIZE + w->xattrs.len;
		w->at = text + from->link_len;
	} else { /* after large xattrs */
		text = round_up(w->at, EROFS_BLOCK);
		d->place = (uint32_t)(text / EROFS_BLOCK);
		d->at = text + EROFS_BLOCK;
		w->at = d->at + EROFS_INODE_SIZE + w->xattrs.len;
	}
	rc = put_inode(w, from, d);
	return rc < 0 ? rc : pages_put(w->meta, text, from->link, from->link_len);
}

static uint64_t count_chunks(uint64_t size, uint32_t bits)
{
	unsigned shift = EROFS_BLOCK_BITS + bits;

	return (size >> shift) + ((size & ((UINT64_C(1) << shift) - 1)) > 0);
}

/* The address of each chunk: a hole, or filled in later. */
static int put_chunks(struct writer *w, const struct erofs_inode *from, uint32_t bits)
{
	uint64_t i, data = 0, n = count_chunks(from->size, bits);
	uint64_t begin = 0, chunk = (uint64_t)EROFS_BLOCK << bits;
	unsigned char address[4];
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++, begin += chunk, w->at += sizeof(address)) {
		if (i == 0 || data < begin)
			rc = w->tree->data(w->tree->arg, from, begin, &data);
		put_le32(address,
			 data - begin < chunk && data < from->size ? 0 : EROFS_HOLE);
		if (rc == 0)
			rc = pages_put(w->meta, w->at, address, sizeof(address));
	}
	return rc;
}

static int put_holey(struct writer *w, const struct erofs_inode *from, struct draft *d)
{
	uint32_t bits = 0;
	int rc;

	while (count_chunks(from->size, bits) > CHUNKS_MAX) {
		if (++bits > EROFS_CHUNK_BITS_MAX)
			return -EFBIG;
	}
	w->has_chunks = true;
	d->layout = EROFS_CHUNKS;
	d->place = bits;
	w->at = d->at + EROFS_INODE_SIZE + w->xattrs.len;
	rc = put_inode(w, from, d);
	return rc < 0 ? rc : put_chunks(w, from, bits);
}

/* Lays down anything but a directory. */
static int put_file(struct writer *w, const struct erofs_inode *from, struct child *c)
{
	struct draft d = {.at = round_up(w->at, EROFS_NID_UNIT), .nlink = from->nlink};
	int rc = xattrs_encode(w->tree, from, &w->xattrs, &w->n_dropped);

	if (rc < 0)
		return rc;
	d.size = c->place;
	if (c->type == DIRENT_CHAR || c->type == DIRENT_BLOCK)
		d.place = from->rdev;
	if (c->type == DIRENT_SYMLINK) {
		rc = put_symlink(w, from, &d);
	} else if (c->has_holes) {
		rc = put_holey(w, from, &d);
	} else {
		w->at = d.at + EROFS_INODE_SIZE + w->xattrs.len;
		rc = put_inode(w, from, &d);
	}
	c->nid = (uint32_t)(d.at / EROFS_NID_UNIT);
	return rc;
}

/* NAMES */

static bool is_sound_name(const struct writer *w, const char *name, size_t len)
{
	const struct child *last;

	if (len == 0 || len > EROFS_NAME_MAX || memchr(name, '/', len) ||
	    memchr(name, '\0', len) || (len <= 2 && memcmp(name, "..", len) == 0))
		return false;
	if (w->n_children == w->first_child)
		return true;
	last = &w->children[w->n_children - 1];
	return dirents_compare(last->name, last->len, name, len) < 0;
}

/* The first name of an inode lays it down. */
static int take_file(struct writer *w, const struct erofs_inode *inode, struct child *c)
{
	const struct inode_place *known = NULL;
	int rc;

	if (c->type == DIRENT_REGULAR) {
		if (inode->size > INT64_MAX)
			return -EFBIG;
		c->place = inode->size;
		c->has_holes = inode->has_holes && inode->size > 0;
	}
	c->is_linked = inode->nlink > 1;
	if (c->is_linked)
		known = inode_map_find(&w->linked, c->id);
	if (known) {
		c->nid = known->nid;
		return 0;
	}
	rc = put_file(w, inode, c);
	if (rc == 0 && c->is_linked)
		rc = inode_map_add(&w->linked, c->id, c->nid);
	return rc;
}

static int take_name(void *to, const char *name, size_t len,
		     const struct erofs_inode *inode)
{
	struct writer *w = to;
	struct child c = {.name = name,
			  .id = inode->id,
			  .len = (uint8_t)len,
			  .type = (uint8_t)dirents_type(inode->mode)};
	int rc;

	if (w->cancelled && __atomic_load_n(w->cancelled, __ATOMIC_RELAXED))
		return -EINTR;
	if (!c.type || !is_sound_name(w, name, len))
		return -EBADMSG;
	rc = c.type == DIRENT_DIRECTORY ? 0 : take_file(w, inode, &c);
	if (rc == 0)
		rc = array_grow(&w->children, w->n_children, sizeof(c));
	if (rc == 0)
		w->children[w->n_children++] = c;
	return rc;
}

/* DIRECTORIES */

/* The names of a directory that is laid down: its blocks at @start, its tail at @tail. */
static int put_names(struct writer *w, struct dirents *d, uint64_t start,
		     uint64_t n_blocks, uint64_t tail)
{
	unsigned char block[EROFS_BLOCK];
	uint64_t i, at;
	size_t used;
	int rc = 0;

	for (i = 0; rc == 0 && (d->next < d->n || d->dots < 2); i++) {
		at = i < n_blocks ? start + i * EROFS_BLOCK : tail;
		used = dirents_block(d, at, block);
		rc = pages_put(w->meta, at, block, used);
	}
	return rc;
}

static uint32_t count_dirs(const struct writer *w)
{
	uint32_t n = 0;
	size_t i;

	for (i = w->first_child; i < w->n_children; i++)
		n += w->children[i].type == DIRENT_DIRECTORY;
	return n;
}

/* The place of a directory: @d, and its blocks, @n of them, at @start. The root's is fixed. */
static void place_dir(struct writer *w, bool is_root, struct draft *d, uint64_t *start,
		      uint64_t *n)
{
	uint64_t tail = d->size % EROFS_BLOCK;

	*start = round_up(w->at, EROFS_BLOCK);
	*n = d->size / EROFS_BLOCK;
	if (!is_root && tail > 0 &&
	    find_place(w, *n ? *start + *n * EROFS_BLOCK : w->at, tail, &d->at)) {
		d->layout = EROFS_INLINE;
		w->at = d->at + EROFS_INODE_SIZE + w->xattrs.len + tail;
	} else {
		*n += tail > 0;
		w->at = d->at = *start + *n * EROFS_BLOCK;
		if (is_root)
			d->at = ROOT_AT;
		else
			w->at += EROFS_INODE_SIZE + w->xattrs.len;
	}
	d->place = *n ? (uint32_t)(*start / EROFS_BLOCK) : 0;
}

/* Lays down the directory whose names were listed. */
static int put_dir(struct writer *w, const struct erofs_inode *from, uint32_t parent,
		   uint32_t *nid)
{
	struct draft d = {.nlink = 2 + count_dirs(w)};
	struct dirents names = {.list = w->children + w->first_child,
				.n = w->n_children - w->first_child};
	uint64_t start, n_blocks;
	int rc = xattrs_encode(w->tree, from, &w->xattrs, &w->n_dropped);

	if (rc < 0)
		return rc;
	if (!parent && w->xattrs.len != w->root_xattrs)
		return -EBADMSG;
	d.size = dirents_size(&names);
	place_dir(w, !parent, &d, &start, &n_blocks);
	if (w->at > META_MAX)
		return -EFBIG;
	*nid = names.self = (uint32_t)(d.at / EROFS_NID_UNIT);
	names.parent = parent ? parent : *nid;
	rc = put_names(w, &names, start, n_blocks,
		       d.at + EROFS_INODE_SIZE + w->xattrs.len);
	return rc < 0 ? rc : put_inode(w, from, &d);
}

/* @parent is 0 for the root. */
static int enter_dir(struct writer *w, uint64_t id, uint32_t parent, uint32_t *nid)
{
	const struct erofs_tree *t = w->tree;
	struct erofs_inode inode = {0};
	int rc = array_grow(&w->levels, w->n_levels, sizeof(*w->levels));

	if (rc == 0) /* an empty directory needs an array, too */
		rc = array_grow(&w->children, w->n_children, sizeof(*w->children));
	w->first_child = w->n_children;
	if (rc == 0)
		rc = t->list(t->arg, id, take_name, w);
	if (rc == 0)
		rc = t->describe(t->arg, id, &inode);
	if (rc == 0)
		rc = put_dir(w, &inode, parent, nid);
	if (rc == 0)
		w->levels[w->n_levels++] = (struct level){
			.first = w->first_child, .next = w->first_child, .nid = *nid};
	return rc;
}

/* A directory in the one that was entered last; its name gets the nid. */
static int enter_child(struct writer *w, struct child c)
{
	unsigned char bytes[8];
	uint32_t nid = 0;
	int rc = enter_dir(w, c.id, w->levels[w->n_levels - 1].nid, &nid);

	put_le64(bytes, nid);
	return rc < 0 ? rc : pages_put(w->meta, c.place, bytes, sizeof(bytes));
}

/* CONTENTS */

/* Gives the next blocks to @len bytes of a file. */
static int add_extent(struct writer *w, const struct extent *what, uint64_t len)
{
	struct extent e = *what;
	int rc;

	e.block = (uint32_t)w->n_blocks;
	w->n_blocks += len / EROFS_BLOCK + (len % EROFS_BLOCK > 0);
	if (w->n_blocks > UINT32_MAX)
		return -EFBIG;
	rc = pages_put(w->extents, w->n_extents * sizeof(e), &e, sizeof(e));
	w->n_extents++;
	return rc;
}

/* The chunks that are no holes, as their inode has them. */
static int add_chunks(struct writer *w, const struct child *c)
{
	uint64_t inode = (uint64_t)c->nid * EROFS_NID_UNIT, at, i, n, chunk;
	unsigned char b[EROFS_INODE_SIZE];
	struct extent e = {.id = c->id};
	int rc = pages_get(w->meta, inode, b, sizeof(b));

	if (rc < 0)
		return rc;
	n = count_chunks(c->place, get_le32(b + EROFS_PLACE_AT));
	chunk = (uint64_t)EROFS_BLOCK << get_le32(b + EROFS_PLACE_AT);
	at = inode + EROFS_INODE_SIZE + xattrs_bytes(get_le16(b + 2));
	for (i = 0; rc == 0 && i < n; i++, at += 4, e.off += chunk) {
		rc = pages_get(w->meta, at, b, 4);
		e.slot = (uint32_t)(at / 4);
		if (rc == 0 && get_le32(b) != EROFS_HOLE)
			rc = add_extent(w, &e,
					c->place - e.off < chunk ? c->place - e.off
								 : chunk);
	}
	return rc;
}

/* Of a file with several names at the first one on the way. */
static int add_contents(struct writer *w, const struct child *c)
{
	uint64_t inode = (uint64_t)c->nid * EROFS_NID_UNIT;
	struct extent e = {.id = c->id, .slot = (uint32_t)((inode + EROFS_PLACE_AT) / 4)};
	struct inode_place *linked = c->is_linked ? inode_map_find(&w->linked, c->id)
						  : NULL;

	if (c->place == 0 || (linked && linked->is_done))
		return 0;
	if (linked)
		linked->is_done = true;
	return c->has_holes ? add_chunks(w, c) : add_extent(w, &e, c->place);
}

/* One step of the walk. */
static int step(struct writer *w)
{
	struct level *l = &w->levels[w->n_levels - 1];
	const struct child *c;

	if (l->next == w->n_children) {
		w->n_children = l->first;
		w->n_levels--;
		return 0;
	}
	c = &w->children[l->next++];
	if (c->type == DIRENT_DIRECTORY)
		return enter_child(w, *c);
	return add_contents(w, c);
}

/* The root's inode comes first, because its nid has 16 bits; its names come later. */
static int walk(struct writer *w)
{
	const struct erofs_tree *t = w->tree;
	struct erofs_inode root = {0};
	uint32_t nid, dropped = 0;
	int rc = t->describe(t->arg, t->root, &root);

	if (rc == 0)
		rc = xattrs_encode(t, &root, &w->xattrs, &dropped);
	w->root_xattrs = w->xattrs.len;
	w->at = ROOT_AT + EROFS_INODE_SIZE + w->xattrs.len;
	if (rc == 0)
		rc = enter_dir(w, t->root, 0, &nid);
	while (rc == 0 && w->n_levels > 0)
		rc = step(w);
	return rc;
}

/* THE END */

/* Tells every file where its contents are. */
static int fill_addresses(struct writer *w, uint64_t first)
{
	unsigned char address[4];
	struct extent e;
	uint64_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < w->n_extents; i++) {
		rc = pages_get(w->extents, i * sizeof(e), &e, sizeof(e));
		put_le32(address, (uint32_t)(first + e.block));
		if (rc == 0)
			rc = pages_put(w->meta, (uint64_t)e.slot * 4, address,
				       sizeof(address));
	}
	return rc;
}

/* Castagnoli's polynomial, as the kernel has it: no last inversion. */
static uint32_t crc32c(const unsigned char *bytes, size_t len)
{
	uint32_t crc = ~UINT32_C(0);
	int bit;

	while (len-- > 0) {
		crc ^= *bytes++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

static int put_super(struct writer *w, const uint8_t *uuid, uint32_t blocks)
{
	unsigned char b[EROFS_BLOCK - EROFS_SUPER_AT];
	int rc = pages_get(w->meta, EROFS_SUPER_AT, b, sizeof(b));

	if (rc < 0)
		return rc;
	put_le32(b, EROFS_MAGIC);
	put_le32(b + 8, EROFS_HAS_CHECKSUM | EROFS_HAS_MTIME);
	b[12] = EROFS_BLOCK_BITS;
	put_le16(b + 14, ROOT_AT / EROFS_NID_UNIT);
	put_le64(b + 16, w->n_inodes);
	put_le32(b + 36, blocks);
	memcpy(b + 48, uuid, EROFS_UUID_SIZE);
	put_le32(b + 80, w->has_chunks ? EROFS_HAS_CHUNKS : 0);
	put_le32(b + 4, crc32c(b, sizeof(b)));
	return pages_put(w->meta, EROFS_SUPER_AT, b, sizeof(b));
}

static int finish(struct writer *w, const uint8_t *uuid, struct erofs_written *out)
{
	uint64_t first = round_up(w->at, EROFS_BLOCK) / EROFS_BLOCK;
	int rc = first + w->n_blocks > UINT32_MAX ? -EFBIG : 0;

	if (rc == 0)
		rc = fill_addresses(w, first);
	if (rc == 0)
		rc = put_super(w, uuid, (uint32_t)(first + w->n_blocks));
	if (rc == 0)
		rc = pages_flush(w->meta);
	if (rc == 0)
		rc = pages_flush(w->extents);
	if (rc == 0)
		*out = (struct erofs_written){.first = (uint32_t)first,
					      .blocks = (uint32_t)(first + w->n_blocks),
					      .n_extents = w->n_extents,
					      .n_dropped = w->n_dropped};
	return rc;
}

int writer_write(const struct erofs_tree *tree, const uint8_t uuid[EROFS_UUID_SIZE],
		 int meta, int extents, const bool *cancelled, struct erofs_written *out)
{
	struct writer w = {.tree = tree, .cancelled = cancelled};
	int rc = pages_new(meta, &w.meta);

	buf_init(&w.xattrs, EROFS_XATTRS_MAX);
	if (rc == 0)
		rc = pages_new(extents, &w.extents);
	if (rc == 0)
		rc = walk(&w);
	if (rc == 0)
		rc = finish(&w, uuid, out);
	pages_free(w.meta);
	pages_free(w.extents);
	inode_map_release(&w.linked);
	buf_release(&w.xattrs);
	free(w.children);
	free(w.levels);
	return rc;
}
