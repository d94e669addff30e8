/* SPDX-License-Identifier: MIT */
/*
 * A small tree in memory for the EROFS writer, and a reader of images that checks one
 * against it: everything that the tree says, and everything that the format demands.
 */
#ifndef TESTS_UNIT_EROFS_TREE_H
#define TESTS_UNIT_EROFS_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/num.h"
#include "fs/erofs/format.h"
#include "fs/erofs/image.h"
#include "fs/erofs/tree.h"

#define FAKE_MAX 4096

struct fake {
	char name[256];
	unsigned parent;
	unsigned inode; /* itself, or the node of which it is another name */
	struct erofs_inode is;
	struct xattr xattrs[3];
	unsigned n_xattrs;
	uint64_t data[2], data_len[2]; /* of a file with holes, in order */
	uint32_t nid;		       /* as the reader found it */
};

struct fake_tree {
	struct fake *nodes; /* the root is number 0 */
	unsigned n;
};

static inline void fake_init(struct fake_tree *t)
{
	t->nodes = calloc(FAKE_MAX, sizeof(*t->nodes));
	if (!t->nodes)
		exit(77);
	t->n = 1;
	t->nodes[0].is = (struct erofs_inode){.mode = S_IFDIR | 0755, .of = t->nodes};
}

/* NULL: there is no room, or the name is there. @link: -1, or the node that it names, too. */
static inline struct fake *fake_add(struct fake_tree *t, unsigned parent,
				    const char *name, uint32_t mode, int link)
{
	struct fake *f = &t->nodes[t->n];
	unsigned i;

	for (i = 1; i < t->n; i++) {
		if (t->nodes[i].parent == parent && strcmp(t->nodes[i].name, name) == 0)
			return NULL;
	}
	if (t->n == FAKE_MAX)
		return NULL;
	*f = (struct fake){.parent = parent, .inode = link < 0 ? t->n : (unsigned)link};
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->is = (struct erofs_inode){.id = t->n, .mode = mode, .nlink = 1, .of = f};
	if (link >= 0)
		t->nodes[link].is.nlink++;
	t->n++;
	return f;
}

/* THE TREE, AS THE WRITER ASKS FOR IT */

static inline int fake_describe(void *arg, uint64_t dir, struct erofs_inode *out)
{
	*out = ((struct fake_tree *)arg)->nodes[dir].is;
	return 0;
}

static inline int fake_order(const void *a, const void *b)
{
	return strcmp((*(struct fake *const *)a)->name, (*(struct fake *const *)b)->name);
}

/* The children of a directory, in order; to be freed. */
static inline struct fake **fake_children(const struct fake_tree *t, unsigned dir,
					  unsigned *n)
{
	struct fake **list = calloc(t->n, sizeof(struct fake *));
	unsigned i;

	if (!list)
		exit(77);
	*n = 0;
	for (i = 1; i < t->n; i++) {
		if (t->nodes[i].parent == dir)
			list[(*n)++] = &t->nodes[i];
	}
	qsort(list, *n, sizeof(*list), fake_order);
	return list;
}

static inline int fake_list(void *arg, uint64_t dir, erofs_take *take, void *to)
{
	const struct fake_tree *t = arg;
	unsigned n, i;
	struct fake **list = fake_children(t, (unsigned)dir, &n);
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++)
		rc = take(to, list[i]->name, strlen(list[i]->name),
			  &t->nodes[list[i]->inode].is);
	free(list);
	return rc;
}

static inline int fake_xattr(void *arg, const struct erofs_inode *inode, uint64_t *pos,
			     struct xattr *out)
{
	const struct fake *f = inode->of;

	(void)arg;
	if (*pos == f->n_xattrs)
		return 0;
	*out = f->xattrs[(*pos)++];
	return 1;
}

static inline int fake_data(void *arg, const struct erofs_inode *inode, uint64_t off,
			    uint64_t *at)
{
	const struct fake *f = inode->of;
	int i;

	(void)arg;
	for (i = 0; i < 2; i++) {
		if (f->data_len[i] && off < f->data[i] + f->data_len[i]) {
			*at = off > f->data[i] ? off : f->data[i];
			return 0;
		}
	}
	*at = inode->size;
	return 0;
}

static inline uint8_t fake_byte(const struct fake *f, uint64_t off)
{
	bool is_data = !f->is.has_holes;
	int i;

	for (i = 0; i < 2; i++)
		is_data |= off >= f->data[i] && off - f->data[i] < f->data_len[i];
	return is_data ? (uint8_t)(f->is.id * 31 + off * 7 + (off >> 12)) | 1 : 0;
}

static inline ssize_t fake_read(void *arg, uint64_t id, void *buf, size_t size,
				uint64_t off)
{
	const struct fake *f = &((const struct fake_tree *)arg)->nodes[id];
	size_t i;

	if (off >= f->is.size)
		return 0;
	if (size > f->is.size - off)
		size = (size_t)(f->is.size - off);
	for (i = 0; i < size; i++)
		((uint8_t *)buf)[i] = fake_byte(f, off + i);
	return (ssize_t)size;
}

static inline struct erofs_tree fake_tree_of(struct fake_tree *t)
{
	return (struct erofs_tree){.arg = t,
				   .describe = fake_describe,
				   .list = fake_list,
				   .xattr = fake_xattr,
				   .data = fake_data};
}

static inline int fake_image(struct fake_tree *t, struct erofs_image **out)
{
	static const uint8_t uuid[EROFS_UUID_SIZE] = {1, 2, 3};
	struct erofs_tree tree = fake_tree_of(t);

	return erofs_image_new(&tree, uuid, memfd_create("meta", 0),
			       memfd_create("extents", 0), NULL, out);
}

/* A READER */

struct reading {
	struct fake_tree *tree;
	const struct erofs_image *image;
	uint64_t last_block; /* of the contents seen last */
	uint64_t n_inodes;
	const char *wrong; /* the first mistake */
};

static inline bool must(struct reading *r, bool holds, const char *what)
{
	if (!holds && !r->wrong)
		r->wrong = what;
	return holds;
}

static inline void read_at(struct reading *r, uint64_t off, void *buf, size_t len)
{
	memset(buf, 0xff, len);
	must(r,
	     erofs_image_read(r->image, buf, len, off, fake_read, r->tree) ==
		     (ssize_t)len,
	     "the image is too short");
}

struct raw_inode {
	uint8_t b[EROFS_INODE_SIZE];
	unsigned layout;
	uint64_t size;
	uint32_t place;
	uint64_t tail; /* where what follows the xattrs is */
};

static inline void read_inode(struct reading *r, uint32_t nid, struct raw_inode *out)
{
	uint64_t at = (uint64_t)nid * 32;
	unsigned count;

	read_at(r, at, out->b, sizeof(out->b));
	out->layout = get_le16(out->b) >> 1;
	must(r, (get_le16(out->b) & 1) == 1, "an inode is not extended");
	count = get_le16(out->b + 2);
	must(r, count != 1, "a count of xattrs is 1");
	out->size = get_le64(out->b + 8);
	out->place = get_le32(out->b + 16);
	out->tail = at + 64 + (count ? 12 + 4 * (uint64_t)(count - 1) : 0);
}

/* Bytes of a directory or a symlink, which must not be a tail across blocks. */
static inline void read_own(struct reading *r, const struct raw_inode *in, uint64_t off,
			    void *buf, size_t len)
{
	uint64_t whole = in->size / EROFS_BLOCK * EROFS_BLOCK;

	if (in->layout == EROFS_INLINE)
		must(r, in->tail % EROFS_BLOCK + in->size % EROFS_BLOCK <= EROFS_BLOCK,
		     "a tail crosses a block");
	else
		must(r, in->layout == EROFS_PLAIN, "a layout is unknown");
	read_at(r,
		in->layout == EROFS_INLINE && off >= whole
			? in->tail + (off - whole)
			: (uint64_t)in->place * EROFS_BLOCK + off,
		buf, len);
}

/* The next xattr that EROFS can express. */
static inline const struct xattr *next_xattr(const struct fake *f, unsigned *i,
					     unsigned *number, size_t *skip)
{
	static const struct {
		const char *prefix;
		unsigned number;
	} known[] = {{"user.", 1}, {"trusted.", 4}, {"security.", 6}};
	unsigned k;

	for (; *i < f->n_xattrs; ++*i) {
		const struct xattr *x = &f->xattrs[*i];

		for (k = 0; k < 3; k++) {
			*skip = strlen(known[k].prefix);
			*number = known[k].number;
			if (x->value_len <= UINT16_MAX && x->name_len > *skip &&
			    memcmp(x->name, known[k].prefix, *skip) == 0) {
				++*i;
				return x;
			}
		}
	}
	return NULL;
}

static inline void check_xattrs(struct reading *r, uint32_t nid, const struct fake *f,
				const struct raw_inode *in)
{
	uint64_t at = (uint64_t)nid * 32 + 64 + 12, end = in->tail;
	const struct xattr *x;
	unsigned i = 0, number;
	char *text = malloc(70000);
	uint8_t head[4];
	size_t skip, len;

	if (!text)
		exit(77);
	while ((x = next_xattr(f, &i, &number, &skip))) {
		if (!must(r, at < end, "an xattr is missing"))
			break;
		read_at(r, at, head, 4);
		must(r,
		     head[0] == x->name_len - skip && head[1] == number &&
			     get_le16(head + 2) == x->value_len,
		     "the head of an xattr is wrong");
		len = x->name_len - skip + x->value_len;
		read_at(r, at + 4, text, len);
		must(r,
		     memcmp(text, x->name + skip, x->name_len - skip) == 0 &&
			     memcmp(text + x->name_len - skip, x->value, x->value_len) ==
				     0,
		     "an xattr is wrong");
		at += round_up(4 + len, 4);
	}
	must(r, at == end || in->tail == (uint64_t)nid * 32 + 64,
	     "there are more xattrs");
	free(text);
}

/* Contents where the image has them, or a hole. */
static inline void check_bytes(struct reading *r, const struct fake *f,
			       const struct raw_inode *in, uint64_t off, size_t len)
{
	uint64_t at = (uint64_t)in->place * EROFS_BLOCK + off, chunk;
	uint8_t buf[64], address[4];
	size_t i;

	if (in->layout == EROFS_CHUNKS) {
		chunk = (uint64_t)EROFS_BLOCK << in->place;
		read_at(r, in->tail + off / chunk * 4, address, 4);
		if (off % chunk + len > chunk)
			len = (size_t)(chunk - off % chunk);
		at = (uint64_t)get_le32(address) * EROFS_BLOCK + off % chunk;
		if (get_le32(address) == EROFS_HOLE)
			at = UINT64_MAX;
	}
	memset(buf, 0, sizeof(buf));
	if (at != UINT64_MAX)
		read_at(r, at, buf, len);
	for (i = 0; i < len; i++)
		must(r, buf[i] == fake_byte(f, off + i), "contents are wrong");
}

static inline void check_contents(struct reading *r, const struct fake *f,
				  const struct raw_inode *in)
{
	uint64_t places[] = {0,
			     f->data[0],
			     f->data[1],
			     f->data[0] + f->data_len[0],
			     in->size / 2,
			     in->size - 1};
	uint64_t off;
	unsigned i;

	if (in->size == 0)
		return;
	if (in->layout == EROFS_PLAIN) {
		must(r, in->place > r->last_block, "contents are out of order");
		r->last_block = in->place;
	} else {
		must(r, in->layout == EROFS_CHUNKS && f->is.has_holes,
		     "a file's layout is wrong");
	}
	for (i = 0; i < 6; i++) {
		off = places[i] < 20 ? 0 : places[i] - 20;
		if (off < in->size)
			check_bytes(r, f, in, off,
				    in->size - off < 60 ? (size_t)(in->size - off) : 60);
	}
}

static inline void check_inode(struct reading *r, uint32_t nid, struct fake *f,
			       struct raw_inode *in)
{
	const struct erofs_inode *is = &f->is;
	static char text[4096];

	read_inode(r, nid, in);
	must(r,
	     get_le16(in->b + 4) == is->mode && get_le32(in->b + 24) == is->uid &&
		     get_le32(in->b + 28) == is->gid &&
		     (int64_t)get_le64(in->b + 32) == is->mtime &&
		     get_le32(in->b + 40) == is->mtime_ns,
	     "attributes are wrong");
	check_xattrs(r, nid, f, in);
	if (S_ISDIR(is->mode))
		return;
	must(r, get_le32(in->b + 44) == is->nlink, "a link count is wrong");
	if (S_ISREG(is->mode)) {
		must(r, in->size == is->size, "a size is wrong");
		check_contents(r, f, in);
	} else if (S_ISLNK(is->mode)) {
		if (!must(r, in->size == is->link_len, "a target's length is wrong"))
			return;
		read_own(r, in, 0, text, is->link_len);
		must(r, memcmp(text, is->link, is->link_len) == 0, "a target is wrong");
	} else {
		must(r, in->size == 0 && in->place == is->rdev, "a device is wrong");
	}
}

static inline unsigned type_of(uint32_t mode)
{
	return S_ISREG(mode)	? 1
	       : S_ISDIR(mode)	? 2
	       : S_ISCHR(mode)	? 3
	       : S_ISBLK(mode)	? 4
	       : S_ISFIFO(mode) ? 5
	       : S_ISSOCK(mode) ? 6
				: 7;
}

struct raw_dir {
	char last[257];
	unsigned n; /* names so far, without dots */
	bool dots[2];
	uint32_t self, parent;
};

static inline void check_name(struct reading *r, struct raw_dir *d, const char *name,
			      const uint8_t *row, struct fake *const *want, unsigned n)
{
	uint32_t nid = (uint32_t)get_le64(row);
	struct fake *inode;

	must(r, strcmp(d->last, name) < 0, "names are out of order");
	snprintf(d->last, sizeof(d->last), "%s", name);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		d->dots[name[1] == '.'] = true;
		must(r, nid == (name[1] == '.' ? d->parent : d->self) && row[10] == 2,
		     "a dot leads elsewhere");
		return;
	}
	if (!must(r, d->n < n && strcmp(want[d->n]->name, name) == 0, "a name is wrong"))
		return;
	inode = &r->tree->nodes[want[d->n++]->inode];
	must(r, row[10] == type_of(inode->is.mode), "a type is wrong");
	must(r, inode->nid == 0 || inode->nid == nid, "names of one inode differ");
	must(r, inode->nid == 0 || inode->is.nlink > 1, "an inode has two names");
	inode->nid = nid;
}

/* One block of @len bytes. */
static inline void check_dir_block(struct reading *r, struct raw_dir *d,
				   const uint8_t *block, size_t len,
				   struct fake *const *want, unsigned n)
{
	unsigned count = get_le16(block + 8) / 12, i;
	size_t begin, end;
	char name[257];

	must(r, count > 0 && count * 12 == get_le16(block + 8), "a block has no names");
	for (i = 0; i < count && !r->wrong; i++) {
		begin = get_le16(block + i * 12 + 8);
		end = i + 1 < count ? get_le16(block + i * 12 + 20) : len;
		if (!must(r, begin < end && end <= len, "a name has no place"))
			return;
		if (i + 1 == count)
			end = begin + strnlen((const char *)block + begin, end - begin);
		if (!must(r, end - begin <= 255, "a name is too long"))
			return;
		memcpy(name, block + begin, end - begin);
		name[end - begin] = '\0';
		check_name(r, d, name, block + i * 12, want, n);
	}
}

static inline void check_dir(struct reading *r, uint32_t nid, uint32_t parent,
			     struct fake *f);

/* The names of a directory are checked: what they lead to, in order. */
static inline void check_below(struct reading *r, uint32_t nid, struct fake *const *want,
			       unsigned n)
{
	struct raw_inode in;
	unsigned i;

	for (i = 0; i < n && !r->wrong; i++) {
		struct fake *inode = &r->tree->nodes[want[i]->inode];

		if (S_ISDIR(inode->is.mode)) {
			check_dir(r, inode->nid, nid, inode);
		} else if (!(inode->is.mode & 0x80000000u)) {
			check_inode(r, inode->nid, inode, &in);
			r->n_inodes++;
			inode->is.mode |= 0x80000000u; /* seen */
		}
	}
}

static inline void check_dir(struct reading *r, uint32_t nid, uint32_t parent,
			     struct fake *f)
{
	struct raw_dir d = {.self = nid, .parent = parent};
	static uint8_t block[EROFS_BLOCK]; /* not on the stack of a deep tree */
	struct raw_inode in;
	uint64_t off;
	size_t len;
	unsigned n, i, n_dirs = 0;
	struct fake **want = fake_children(r->tree, (unsigned)(f - r->tree->nodes), &n);

	check_inode(r, nid, f, &in);
	r->n_inodes++;
	for (off = 0; off < in.size && !r->wrong; off += EROFS_BLOCK) {
		len = in.size - off < EROFS_BLOCK ? (size_t)(in.size - off) : EROFS_BLOCK;
		read_own(r, &in, off, block, len);
		check_dir_block(r, &d, block, len, want, n);
	}
	must(r, d.n == n && d.dots[0] && d.dots[1], "names are missing");
	for (i = 0; i < n; i++)
		n_dirs += S_ISDIR(want[i]->is.mode);
	must(r, get_le32(in.b + 44) == 2 + n_dirs, "a directory's link count is wrong");
	if (!r->wrong)
		check_below(r, nid, want, n);
	free(want);
}

static inline uint32_t reader_crc(const uint8_t *b, size_t len)
{
	uint32_t crc = 0xffffffff;
	size_t i;

	for (i = 0; i < 8 * len; i++) {
		uint32_t bit = (crc ^ (uint32_t)(b[i / 8] >> (i % 8))) & 1;

		crc = (crc >> 1) ^ (bit ? 0x82f63b78 : 0);
	}
	return crc;
}

/* NULL, or what is wrong with an image of the tree. */
static inline const char *erofs_check(struct fake_tree *t,
				      const struct erofs_image *image)
{
	struct reading r = {.tree = t, .image = image};
	uint8_t b[3072];
	uint32_t crc, root;
	unsigned i;

	read_at(&r, 1024, b, sizeof(b));
	crc = get_le32(b + 4);
	memset(b + 4, 0, 4);
	must(&r, crc == reader_crc(b, sizeof(b)), "the checksum is wrong");
	must(&r, get_le32(b) == 0xe0f5e1e2 && b[12] == 12, "it is no EROFS");
	must(&r, (uint64_t)get_le32(b + 36) * 4096 == erofs_image_size(image),
	     "the number of blocks is wrong");
	must(&r, (get_le32(b + 80) & ~4u) == 0 && get_le32(b + 40) == 0,
	     "the superblock is wrong");
	root = get_le16(b + 14);
	if (!r.wrong)
		check_dir(&r, root, root, &t->nodes[0]);
	must(&r, get_le64(b + 16) == r.n_inodes, "the number of inodes is wrong");
	for (i = 0; i < t->n; i++) {
		t->nodes[i].is.mode &= 0xffff;
		t->nodes[i].nid = 0;
	}
	return r.wrong;
}

#endif
