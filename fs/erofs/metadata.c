/* SPDX-License-Identifier: MIT */
#include "fs/erofs/metadata.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "fs/erofs/dirents.h"
#include "fs/erofs/format.h"
#include "fs/erofs/pages.h"
#include "fs/erofs/tree.h"
#include "fs/erofs/xattrs.h"

#define ROOT_AT (EROFS_SUPER_AT + EROFS_SUPER_SIZE)
/* What `slot` of an extent can count. */
#define META_MAX ((UINT64_C(4) << 32) - (1 << 20))
/* A hole is a multiple of this part of its file, so holes cost 1 KiB at most. */
#define CHUNKS_MAX 256

int metadata_init(struct metadata *m, const struct erofs_tree *tree, int fd)
{
	*m = (struct metadata){.tree = tree};
	buf_init(&m->xattrs, EROFS_XATTRS_MAX);
	return pages_new(fd, &m->pages);
}

void metadata_release(struct metadata *m)
{
	pages_free(m->pages);
	buf_release(&m->xattrs);
}

/* INODES */

struct draft {
	uint64_t at;
	uint32_t layout;
	uint32_t place;
	uint64_t size;
	uint32_t nlink;
};

/* The inode with its xattrs. */
static int put_inode(struct metadata *m, const struct erofs_inode *from,
		     const struct draft *d)
{
	unsigned char b[EROFS_INODE_SIZE] = {0};
	int rc;

	if (d->at + EROFS_INODE_SIZE + m->xattrs.len > META_MAX)
		return -EFBIG;
	m->n_inodes++;
	put_le16(b, (uint16_t)(d->layout << 1 | 1));
	put_le16(b + 2, xattrs_count(m->xattrs.len));
	put_le16(b + 4, (uint16_t)from->mode);
	put_le64(b + 8, d->size);
	put_le32(b + EROFS_PLACE_AT, d->place);
	put_le32(b + 20, (uint32_t)m->n_inodes);
	put_le32(b + 24, from->uid);
	put_le32(b + 28, from->gid);
	put_le64(b + 32, (uint64_t)from->mtime);
	put_le32(b + 40, from->mtime_ns);
	put_le32(b + 44, d->nlink);
	rc = pages_put(m->pages, d->at, b, sizeof(b));
	return rc < 0 ? rc
		      : pages_put(m->pages, d->at + sizeof(b), m->xattrs.data,
				  m->xattrs.len);
}

/* What follows an inode may not cross the border of a block. */
static bool tail_fits(const struct metadata *m, uint64_t inode, uint64_t tail)
{
	return (inode + EROFS_INODE_SIZE + m->xattrs.len) % EROFS_BLOCK + tail <=
	       EROFS_BLOCK;
}

/* Where an inode with a tail can be, after @at. False: nowhere. */
static bool find_place(const struct metadata *m, uint64_t at, uint64_t tail,
		       uint64_t *out)
{
	*out = round_up(at, EROFS_NID_UNIT);
	if (tail_fits(m, *out, tail))
		return true;
	*out = round_up(at, EROFS_BLOCK);
	return tail_fits(m, *out, tail);
}

static int put_symlink(struct metadata *m, const struct erofs_inode *from,
		       struct draft *d)
{
	uint64_t text;
	int rc;

	d->size = from->link_len;
	if (find_place(m, m->at, from->link_len, &d->at)) {
		d->layout = EROFS_INLINE;
		text = d->at + EROFS_INODE_SIZE + m->xattrs.len;
		m->at = text + from->link_len;
	} else { /* after large xattrs */
		text = round_up(m->at, EROFS_BLOCK);
		d->place = (uint32_t)(text / EROFS_BLOCK);
		d->at = text + EROFS_BLOCK;
		m->at = d->at + EROFS_INODE_SIZE + m->xattrs.len;
	}
	rc = put_inode(m, from, d);
	return rc < 0 ? rc : pages_put(m->pages, text, from->link, from->link_len);
}

static uint64_t count_chunks(uint64_t size, uint32_t bits)
{
	unsigned shift = EROFS_BLOCK_BITS + bits;

	return (size >> shift) + ((size & ((UINT64_C(1) << shift) - 1)) > 0);
}

/* The address of each chunk: a hole, or filled in later. */
static int put_chunks(struct metadata *m, const struct erofs_inode *from, uint32_t bits)
{
	uint64_t i, data = 0, n = count_chunks(from->size, bits);
	uint64_t begin = 0, chunk = (uint64_t)EROFS_BLOCK << bits;
	unsigned char address[4];
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++, begin += chunk, m->at += sizeof(address)) {
		if (i == 0 || data < begin)
			rc = m->tree->data(m->tree->arg, from, begin, &data);
		put_le32(address,
			 data - begin < chunk && data < from->size ? 0 : EROFS_HOLE);
		if (rc == 0)
			rc = pages_put(m->pages, m->at, address, sizeof(address));
	}
	return rc;
}

static int put_holey(struct metadata *m, const struct erofs_inode *from, struct draft *d)
{
	uint32_t bits = 0;
	int rc;

	while (count_chunks(from->size, bits) > CHUNKS_MAX) {
		if (++bits > EROFS_CHUNK_BITS_MAX)
			return -EFBIG;
	}
	m->has_chunks = true;
	d->layout = EROFS_CHUNKS;
	d->place = bits;
	m->at = d->at + EROFS_INODE_SIZE + m->xattrs.len;
	rc = put_inode(m, from, d);
	return rc < 0 ? rc : put_chunks(m, from, bits);
}

int metadata_put_file(struct metadata *m, const struct erofs_inode *from, struct child *c)
{
	struct draft d = {.at = round_up(m->at, EROFS_NID_UNIT), .nlink = from->nlink};
	int rc = xattrs_encode(m->tree, from, &m->xattrs, &m->n_dropped);

	if (rc < 0)
		return rc;
	d.size = c->place;
	if (c->type == DIRENT_CHAR || c->type == DIRENT_BLOCK)
		d.place = from->rdev;
	if (c->type == DIRENT_SYMLINK) {
		rc = put_symlink(m, from, &d);
	} else if (c->has_holes) {
		rc = put_holey(m, from, &d);
	} else {
		m->at = d.at + EROFS_INODE_SIZE + m->xattrs.len;
		rc = put_inode(m, from, &d);
	}
	c->nid = (uint32_t)(d.at / EROFS_NID_UNIT);
	return rc;
}

/* DIRECTORIES */

int metadata_reserve_root(struct metadata *m, const struct erofs_inode *root)
{
	uint32_t dropped = 0; /* counted when it is laid down */
	int rc = xattrs_encode(m->tree, root, &m->xattrs, &dropped);

	m->root_xattrs = m->xattrs.len;
	m->at = ROOT_AT + EROFS_INODE_SIZE + m->xattrs.len;
	return rc;
}

/* The names of a directory that is laid down: its blocks at @start, its tail at @tail. */
static int put_names(struct metadata *m, struct dirents *d, uint64_t start,
		     uint64_t n_blocks, uint64_t tail)
{
	unsigned char block[EROFS_BLOCK];
	uint64_t i, at;
	size_t used;
	int rc = 0;

	for (i = 0; rc == 0 && (d->next < d->n || d->dots < 2); i++) {
		at = i < n_blocks ? start + i * EROFS_BLOCK : tail;
		used = dirents_block(d, at, block);
		rc = pages_put(m->pages, at, block, used);
	}
	return rc;
}

static uint32_t count_dirs(const struct dirents *names)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < names->n; i++)
		n += names->list[i].type == DIRENT_DIRECTORY;
	return n;
}

/* The place of a directory: @d, and its blocks, @n of them, at @start. The root's is fixed. */
static void place_dir(struct metadata *m, bool is_root, struct draft *d, uint64_t *start,
		      uint64_t *n)
{
	uint64_t tail = d->size % EROFS_BLOCK;

	*start = round_up(m->at, EROFS_BLOCK);
	*n = d->size / EROFS_BLOCK;
	if (!is_root && tail > 0 &&
	    find_place(m, *n ? *start + *n * EROFS_BLOCK : m->at, tail, &d->at)) {
		d->layout = EROFS_INLINE;
		m->at = d->at + EROFS_INODE_SIZE + m->xattrs.len + tail;
	} else {
		*n += tail > 0;
		m->at = d->at = *start + *n * EROFS_BLOCK;
		if (is_root)
			d->at = ROOT_AT;
		else
			m->at += EROFS_INODE_SIZE + m->xattrs.len;
	}
	d->place = *n ? (uint32_t)(*start / EROFS_BLOCK) : 0;
}

int metadata_put_dir(struct metadata *m, const struct erofs_inode *from,
		     struct dirents *names)
{
	struct draft d = {.size = dirents_size(names), .nlink = 2 + count_dirs(names)};
	bool is_root = !names->parent;
	uint64_t start, n_blocks;
	int rc = xattrs_encode(m->tree, from, &m->xattrs, &m->n_dropped);

	if (rc < 0)
		return rc;
	if (is_root && m->xattrs.len != m->root_xattrs)
		return -EBADMSG;
	place_dir(m, is_root, &d, &start, &n_blocks);
	if (m->at > META_MAX)
		return -EFBIG;
	names->self = (uint32_t)(d.at / EROFS_NID_UNIT);
	if (is_root)
		names->parent = names->self;
	rc = put_names(m, names, start, n_blocks,
		       d.at + EROFS_INODE_SIZE + m->xattrs.len);
	return rc < 0 ? rc : put_inode(m, from, &d);
}

int metadata_put_nid(struct metadata *m, const struct child *c, uint32_t nid)
{
	unsigned char bytes[8];

	put_le64(bytes, nid);
	return pages_put(m->pages, c->place, bytes, sizeof(bytes));
}

/* CONTENTS */

int metadata_addresses(struct metadata *m, const struct child *c, struct addresses *out)
{
	uint64_t inode = (uint64_t)c->nid * EROFS_NID_UNIT;
	unsigned char b[EROFS_INODE_SIZE];
	uint32_t bits;
	int rc = 0;

	*out = (struct addresses){.at = inode + EROFS_PLACE_AT, .n = 1, .each = c->place};
	if (!c->has_holes)
		return 0;
	rc = pages_get(m->pages, inode, b, sizeof(b));
	if (rc < 0)
		return rc;
	bits = get_le32(b + EROFS_PLACE_AT);
	out->at = inode + EROFS_INODE_SIZE + xattrs_bytes(get_le16(b + 2));
	out->n = count_chunks(c->place, bits);
	out->each = (uint64_t)EROFS_BLOCK << bits;
	return 0;
}

int metadata_is_hole(struct metadata *m, uint64_t address, bool *out)
{
	unsigned char b[4];
	int rc = pages_get(m->pages, address, b, sizeof(b));

	*out = rc == 0 && get_le32(b) == EROFS_HOLE;
	return rc;
}

int metadata_put_address(struct metadata *m, uint64_t address, uint32_t block)
{
	unsigned char b[4];

	put_le32(b, block);
	return pages_put(m->pages, address, b, sizeof(b));
}

/* THE SUPERBLOCK */

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

int metadata_finish(struct metadata *m, const uint8_t uuid[EROFS_UUID_SIZE],
		    uint32_t blocks)
{
	unsigned char b[EROFS_BLOCK - EROFS_SUPER_AT];
	int rc = pages_get(m->pages, EROFS_SUPER_AT, b, sizeof(b));

	if (rc < 0)
		return rc;
	put_le32(b, EROFS_MAGIC);
	put_le32(b + 8, EROFS_HAS_CHECKSUM | EROFS_HAS_MTIME);
	b[12] = EROFS_BLOCK_BITS;
	put_le16(b + 14, ROOT_AT / EROFS_NID_UNIT);
	put_le64(b + 16, m->n_inodes);
	put_le32(b + 36, blocks);
	memcpy(b + 48, uuid, EROFS_UUID_SIZE);
	put_le32(b + 80, m->has_chunks ? EROFS_HAS_CHUNKS : 0);
	put_le32(b + 4, crc32c(b, sizeof(b)));
	rc = pages_put(m->pages, EROFS_SUPER_AT, b, sizeof(b));
	return rc < 0 ? rc : pages_flush(m->pages);
}
