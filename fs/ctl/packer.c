/* SPDX-License-Identifier: MIT */
/*
 * The order is that of the names, as bytes, a directory before what is in it. The first part
 * of a file is read before its header is written, so a file of one part (1 MiB, as are
 * most) that cannot be read is not in the archive at all.
 *
 * Functions that pack return 1 if an entry was written, 0 if it was reported and left out,
 * or a negative errno that ends the archive.
 */
#include "fs/ctl/packer.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/err.h"
#include "fs/ctl/ctl.h"
#include "fs/ctl/pax.h"
#include "fs/ctl/reader.h"

/* A layer's paths have at most 4095 bytes, and the user names the top. */
#define PATH_SIZE (256u << 10)

struct piece {
	uint64_t off;
	uint64_t len;
};

static char *name_in(uint64_t value)
{
	return (char *)(uintptr_t)value;
}

int packer_init(struct packer *p, struct reader *r, int fd)
{
	memset(p, 0, sizeof(*p));
	p->reader = r;
	p->is_empty = true;
	buf_init(&p->path, PATH_SIZE);
	buf_init(&p->xattrs, READER_XATTR_MAX);
	buf_init(&p->value, READER_XATTR_MAX);
	p->bytes = malloc(READER_PART);
	return p->bytes ? pax_new(fd, &p->pax) : -ENOMEM;
}

static void release_names(struct packer *p)
{
	size_t i;

	for (i = 0; i < p->names.n_rows; i++)
		free(name_in(p->names.rows[i].value));
	idmap_release(&p->names);
}

void packer_release(struct packer *p)
{
	pax_free(p->pax);
	release_names(p);
	buf_release(&p->path);
	buf_release(&p->xattrs);
	buf_release(&p->value);
	free(p->holes);
	free(p->bytes);
}

static const char *entry_name(const struct packer *p)
{
	return p->path.len > 0 ? buf_text(&p->path) : "./";
}

/* Reports why the current entry is left out. 0. */
static int leave_out(struct packer *p, int code)
{
	struct err e;

	p->is_incomplete = true;
	if (code == -EILSEQ)
		ctl_error("%s: left out: a tar cannot hold its name or its target",
			  entry_name(p));
	else
		ctl_error("%s: left out: %s", entry_name(p),
			  reader_why(p->reader, code, &e));
	return 0;
}

/* HEADERS */

/* 0 or a negative errno, as of reading. */
static int add_xattrs(struct packer *p, uint64_t node)
{
	ssize_t len = 0, n;
	const char *name, *end;
	int rc = 0;

	if (nodes_may_have_xattrs(p->reader->nodes))
		len = reader_xattr(p->reader, node, NULL, &p->xattrs);
	if (len <= 0)
		return (int)len;
	end = p->xattrs.data + len;
	for (name = p->xattrs.data; rc >= 0 && name < end; name += strlen(name) + 1) {
		n = reader_xattr(p->reader, node, name, &p->value);
		if (n < 0)
			return (int)n;
		rc = pax_add_xattr(p->pax, name, buf_text(&p->value), (size_t)n);
		if (rc == -EILSEQ) {
			p->is_incomplete = true;
			ctl_error("%s: its attribute %s is left out: a tar cannot hold "
				  "the name",
				  entry_name(p), name);
			rc = 0;
		}
	}
	return rc;
}

/* Begins the current entry. 0 or a negative errno. */
static int begin(struct packer *p, const struct item *item)
{
	int rc = pax_begin(p->pax, entry_name(p), &item->attr);

	return rc < 0 ? rc : add_xattrs(p, item->node);
}

static int put(struct packer *p)
{
	int rc = pax_put(p->pax);

	p->is_empty = p->is_empty && rc < 0;
	return rc < 0 ? rc : 1;
}

static int pack_link(struct packer *p, const struct item *item, const char *to)
{
	int rc = pax_begin(p->pax, entry_name(p), &item->attr);

	if (rc >= 0)
		rc = pax_set_hardlink(p->pax, to);
	return rc < 0 ? leave_out(p, rc) : put(p);
}

/* A symlink, a device or a pipe. */
static int pack_special(struct packer *p, const struct item *item)
{
	void *target; /* not on the stack, of which a tree of 2,000 levels needs much */
	int rc = begin(p, item);

	if (rc == 0 && S_ISLNK(item->attr.st_mode)) {
		buf_clear(&p->value);
		rc = buf_reserve(&p->value, PATH_MAX, &target);
		if (rc == 0)
			rc = nodes_readlink(p->reader->nodes, item->node, target,
					    PATH_MAX, NULL);
		if (rc == 0)
			rc = pax_set_symlink(p->pax, target);
	}
	return rc < 0 ? leave_out(p, rc) : put(p);
}

/* CONTENT */

static int add_piece(struct packer *p, size_t n, uint64_t off, uint64_t end)
{
	int rc = array_grow(&p->holes, n, sizeof(*p->holes));

	if (rc == 0)
		p->holes[n] = (struct piece){off, end - off};
	return rc;
}

/* Lists the data of a sparse file. Their number, at least 1, or a negative errno. */
static ssize_t list_pieces(struct packer *p, const struct item *item)
{
	const struct nodes *nodes = p->reader->nodes;
	off_t off = 0, end = 0, size = item->attr.st_size;
	size_t n = 0;
	int rc = 0;

	while (rc == 0 && end < size) {
		off = nodes_seek(nodes, item->node, end, SEEK_DATA, NULL);
		if (off == -ENXIO)
			break;
		end = off < 0 ? off : nodes_seek(nodes, item->node, off, SEEK_HOLE, NULL);
		if (end < 0)
			return end;
		rc = add_piece(p, n++, (uint64_t)off, (uint64_t)end);
	}
	if (rc == 0 && n == 0)
		rc = add_piece(p, n++, (uint64_t)size, (uint64_t)size);
	return rc < 0 ? rc : (ssize_t)n;
}

static size_t part_len(uint64_t left)
{
	return left < READER_PART ? (size_t)left : READER_PART;
}

/*
 * Writes a piece of data; the first part of it is in p->bytes if @is_begun. *failed: why it
 * could not be read; *at is the place in the file up to which it was written.
 */
static int write_piece(struct packer *p, uint64_t node, const struct piece *piece,
		       bool is_begun, uint64_t *at, int *failed)
{
	uint64_t end = piece->off + piece->len;
	int rc = pax_skip(p->pax, piece->off - *at);
	size_t n;

	for (*at = piece->off; rc == 0 && *at < end; *at += n) {
		n = part_len(end - *at);
		if (!is_begun)
			*failed = reader_part(p->reader, node, *at, p->bytes, n);
		if (*failed < 0)
			break;
		is_begun = false;
		rc = pax_write(p->pax, p->bytes, n);
	}
	return rc;
}

static int write_content(struct packer *p, const struct item *item,
			 const struct piece *pieces, size_t n)
{
	uint64_t at = 0;
	int rc = 0, failed = 0;
	struct err e;
	size_t i;

	for (i = 0; rc == 0 && failed == 0 && i < n; i++)
		rc = write_piece(p, item->node, &pieces[i], i == 0, &at, &failed);
	if (failed < 0) {
		p->is_incomplete = true;
		ctl_error("%s: incomplete, with zeros from byte %llu on: %s",
			  entry_name(p), (unsigned long long)at,
			  reader_why(p->reader, failed, &e));
	}
	if (rc == 0)
		rc = pax_skip(p->pax, (uint64_t)item->attr.st_size - at);
	return rc < 0 ? rc : 1;
}

static int pack_regular(struct packer *p, const struct item *item)
{
	struct piece whole = {0, (uint64_t)item->attr.st_size}, *pieces = &whole;
	bool is_sparse = item->attr.st_blocks < item->attr.st_size / 512;
	ssize_t i, n = 1;
	int rc = 0;

	if (is_sparse) {
		n = list_pieces(p, item);
		pieces = p->holes;
	}
	if (n > 0)
		rc = reader_part(p->reader, item->node, pieces[0].off, p->bytes,
				 part_len(pieces[0].len));
	if (n > 0 && rc == 0)
		rc = begin(p, item);
	if (n < 0 || rc < 0)
		return leave_out(p, n < 0 ? (int)n : rc);
	for (i = 0; is_sparse && i < n; i++)
		pax_add_piece(p->pax, pieces[i].off, pieces[i].len);
	rc = put(p);
	return rc < 0 ? rc : write_content(p, item, pieces, (size_t)n);
}

/* THE TREE */

/* What other names of the file are links to. */
static int keep_name(struct packer *p, uint64_t node)
{
	char *name = strdup(entry_name(p));
	int rc = name ? idmap_add(&p->names, node, (uintptr_t)name) : -ENOMEM;

	if (rc < 0)
		free(name);
	return rc;
}

static int pack_file(struct packer *p, const struct item *item)
{
	bool has_links = item->attr.st_nlink > 1;
	const uint64_t *known = has_links ? idmap_find(&p->names, item->node) : NULL;
	const char *first = known ? name_in(*known) : NULL;
	int rc;

	if (first)
		return strcmp(first, entry_name(p)) == 0 ? 1 : pack_link(p, item, first);
	rc = S_ISREG(item->attr.st_mode) ? pack_regular(p, item) : pack_special(p, item);
	return rc == 1 && has_links && keep_name(p, item->node) < 0 ? -ENOMEM : rc;
}

static int pack(struct packer *p, const struct item *item);

static int pack_child(struct packer *p, const char *name, const struct item *item)
{
	size_t len = p->path.len;
	int rc = 0;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (len > 0)
		rc = buf_append(&p->path, "/", 1);
	if (rc == 0)
		rc = buf_append_text(&p->path, name);
	if (rc == 0)
		rc = pack(p, item);
	p->path.len = len;
	return rc;
}

/* The list is opened before the entry is written: it fails if the tree is unavailable. */
static int pack_dir(struct packer *p, const struct item *item)
{
	struct node_list *list = NULL;
	const char *name;
	struct item child;
	uint64_t cookie;
	int more, rc = nodes_list_open(p->reader->nodes, item->node, 0, NULL, &list);

	if (rc == 0)
		rc = begin(p, item);
	if (rc < 0) {
		nodes_list_close(list);
		return leave_out(p, rc);
	}
	rc = put(p);
	while (rc >= 0 && (more = nodes_list_next(list, &name, &child, &cookie)) != 0) {
		if (more < 0) {
			leave_out(p, more);
			break;
		}
		rc = pack_child(p, name, &child);
	}
	nodes_list_close(list);
	return rc < 0 ? rc : 1;
}

static int pack(struct packer *p, const struct item *item)
{
	return S_ISDIR(item->attr.st_mode) ? pack_dir(p, item) : pack_file(p, item);
}

int packer_add(struct packer *p, const char *name, const struct item *top)
{
	int rc;

	buf_clear(&p->path);
	rc = buf_append_text(&p->path, name);
	if (rc == 0)
		rc = pack(p, top);
	return rc < 0 ? rc : 0;
}

int packer_end(struct packer *p)
{
	return p->is_empty ? 0 : pax_end(p->pax);
}
