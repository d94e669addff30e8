/* SPDX-License-Identifier: MIT */
/*
 * The entries are added to the tree as those of an archive are, so that the tree's rules hold
 * for whatever a foreign index says. For an index that push.c made they change nothing.
 */
#include "tar/toc/pushed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/num.h"
#include "base/source.h"
#include "tar/archive/entry.h"
#include "tar/archive/pax.h"
#include "tar/codec/span.h"
#include "tar/codec/window.h"
#include "tar/codec/zstd.h"
#include "tar/index/format.h"
#include "tar/index/tree.h"
#include "tar/toc/blob_reader.h"
#include "tar/toc/cursor.h"
#include "tar/toc/pushed_format.h"

/* The value of a list of xattrs. */
struct xattr_list {
	struct tar_xattr *first;
	size_t n;
};

struct pushed {
	struct cursor columns[N_PUSHED_COLUMNS];
	struct tree *tree;
	uint64_t blob_size, decoded_size;
	enum compression compression;
	uint32_t n, n_spans, n_skipped;
	const char **names; /* n; the first is "" */
	uint32_t *parents;  /* n */
	struct tar_xattr *xattrs;
	struct xattr_list *lists;
	uint32_t n_lists;
	uint64_t time, place, in_end, out;
	char path[INDEX_PATH_MAX + 1], target[INDEX_PATH_MAX + 1];
	uint32_t path_of; /* path begins with the path of this directory */
	size_t path_len;
	struct err *e;
};

static int pushed_corrupt(const struct pushed *p, const char *what)
{
	return err_set(p->e, -EBADMSG, "its pushed index is unreadable: %s", what);
}

static struct cursor *column(struct pushed *p, enum pushed_column c)
{
	return &p->columns[c];
}

/* Xattrs */

static int take_xattr(struct pushed *p, struct tar_xattr *x)
{
	struct cursor *c = column(p, PUSHED_XATTR_LISTS);
	size_t name_len;

	x->name = cursor_text(c, &name_len);
	x->len = (size_t)cursor_number(c);
	x->value = cursor_take(c, x->len);
	return c->is_bad || name_len == 0 || name_len > UINT8_MAX ||
			       x->len > UINT16_MAX + 1u
		       ? pushed_corrupt(p, "an attribute")
		       : 0;
}

/* A list takes a byte or more of the column, and so does an xattr. */
static int take_xattr_lists(struct pushed *p)
{
	struct cursor *c = column(p, PUSHED_XATTR_LISTS);
	size_t room = (size_t)(c->end - c->at), n = 0, i, k;
	int rc = 0;

	p->n_lists = cursor_u32(c);
	if (c->is_bad || p->n_lists > room)
		return pushed_corrupt(p, "attributes");
	p->lists = calloc((size_t)p->n_lists + 1, sizeof(*p->lists));
	p->xattrs = calloc(room / 2 + 1, sizeof(*p->xattrs));
	if (!p->lists || !p->xattrs)
		return -ENOMEM;
	for (i = 0; i < p->n_lists && rc == 0; i++) {
		p->lists[i].first = &p->xattrs[n];
		p->lists[i].n = cursor_u32(c);
		if (p->lists[i].n > room / 2 - n)
			rc = pushed_corrupt(p, "attributes");
		for (k = 0; k < p->lists[i].n && rc == 0; k++)
			rc = take_xattr(p, &p->xattrs[n++]);
	}
	return rc < 0 || !c->is_bad ? rc : pushed_corrupt(p, "attributes");
}

/* Paths */

/* Writes the path of @id to @out, of INDEX_PATH_MAX + 1 bytes. */
static int write_path(const struct pushed *p, uint32_t id, char *out, size_t *len)
{
	size_t at = INDEX_PATH_MAX + 1, n;

	for (; id != 0; id = p->parents[id]) {
		n = strlen(p->names[id]) + 1;
		if (n > at)
			return -ENAMETOOLONG;
		at -= n;
		out[at] = '/';
		memcpy(out + at + 1, p->names[id], n - 1);
	}
	*len = INDEX_PATH_MAX + 1 - at;
	memmove(out, out + at, *len);
	return 0;
}

/* The path of entry @id in p->path; the next entry is mostly in the same directory. */
static int enter_path(struct pushed *p, uint32_t id, size_t *len)
{
	size_t n = strlen(p->names[id]);
	int rc;

	if (id == 0) {
		p->path[0] = '/';
		*len = 1;
		return 0;
	}
	if (p->path_of != p->parents[id]) {
		rc = write_path(p, p->parents[id], p->path, &p->path_len);
		if (rc < 0)
			return pushed_corrupt(p, "a path that is too long");
		p->path_of = p->parents[id];
	}
	if (p->path_len + 1 + n > INDEX_PATH_MAX)
		return pushed_corrupt(p, "a path that is too long");
	p->path[p->path_len] = '/';
	memcpy(p->path + p->path_len + 1, p->names[id], n);
	*len = p->path_len + 1 + n;
	return 0;
}

static int take_names(struct pushed *p)
{
	struct cursor *c = column(p, PUSHED_NAMES);
	size_t len;
	uint32_t i;

	p->names = calloc(p->n, sizeof(*p->names));
	p->parents = calloc(p->n, sizeof(*p->parents));
	if (!p->names || !p->parents)
		return -ENOMEM;
	p->names[0] = "";
	for (i = 1; i < p->n; i++) {
		p->names[i] = cursor_text(c, &len);
		if (c->is_bad || len == 0 || len > INDEX_NAME_MAX + INDEX_MARKER_LEN ||
		    strchr(p->names[i], '/') || strcmp(p->names[i], ".") == 0 ||
		    strcmp(p->names[i], "..") == 0)
			return pushed_corrupt(p, "a name");
	}
	return 0;
}

/* Each directory has the next entries as its children. */
static int take_children(struct pushed *p)
{
	struct cursor *c = column(p, PUSHED_CHILDREN);
	uint32_t id, i, n, at = 1;

	for (id = 0; id < p->n; id++) {
		n = cursor_u32(c);
		if (c->is_bad || id >= at || n > p->n - at)
			return pushed_corrupt(p, "the children of a directory");
		for (i = 0; i < n; i++)
			p->parents[at++] = id;
	}
	return 0;
}

/* Entries */

static int take_place(struct pushed *p, struct tar_entry *te)
{
	struct cursor *c = column(p, PUSHED_PLACES);

	te->data = p->place + cursor_signed(c);
	if (c->is_bad || !range_fits(te->data, te->stored, p->decoded_size))
		return pushed_corrupt(p, "a file that is not in the layer");
	p->place = pushed_next_place(te->data, te->stored);
	return 0;
}

static int take_regular(struct pushed *p, struct tar_entry *te)
{
	struct cursor *c = column(p, PUSHED_SIZES);

	te->size = te->stored = cursor_number(c);
	if (c->is_bad || te->size > INT64_MAX)
		return pushed_corrupt(p, "a size");
	return te->size > 0 ? take_place(p, te) : 0;
}

static int take_attributes(struct pushed *p, struct tar_entry *te)
{
	const void *mode = cursor_take(column(p, PUSHED_MODES), 2);
	uint32_t list = cursor_u32(column(p, PUSHED_XATTRS));

	te->mode = mode ? get_le16(mode) : 0;
	te->uid = cursor_u32(column(p, PUSHED_OWNERS));
	te->gid = cursor_u32(column(p, PUSHED_OWNERS));
	p->time += cursor_signed(column(p, PUSHED_TIMES));
	te->mtime = (int64_t)p->time;
	te->mtime_ns = cursor_u32(column(p, PUSHED_NANOS));
	if (!mode || column(p, PUSHED_XATTRS)->is_bad || list > p->n_lists ||
	    column(p, PUSHED_OWNERS)->is_bad || column(p, PUSHED_TIMES)->is_bad ||
	    column(p, PUSHED_NANOS)->is_bad || te->mtime_ns > 999999999)
		return pushed_corrupt(p, "the attributes of an entry");
	if (list > 0) {
		te->xattrs = p->lists[list - 1].first;
		te->n_xattrs = p->lists[list - 1].n;
	}
	return 0;
}

static int take_inode(struct pushed *p, struct tar_entry *te)
{
	struct cursor *texts = column(p, PUSHED_TEXTS);
	struct cursor *devices = column(p, PUSHED_DEVICES);
	int rc = take_attributes(p, te);

	if (rc < 0)
		return rc;
	switch (te->mode & S_IFMT) {
	case S_IFREG:
		return take_regular(p, te);
	case S_IFLNK:
		te->link = cursor_text(texts, &te->link_len);
		return texts->is_bad ? pushed_corrupt(p, "a symlink") : 0;
	case S_IFCHR:
	case S_IFBLK:
		te->rdev_major = cursor_u32(devices);
		te->rdev_minor = cursor_u32(devices);
		return devices->is_bad ? pushed_corrupt(p, "a device") : 0;
	case S_IFDIR:
	case S_IFIFO:
		return 0;
	default:
		return pushed_corrupt(p, "an entry of an unknown type");
	}
}

static int take_link(struct pushed *p, uint8_t flags, struct tar_entry *te)
{
	struct cursor *texts = column(p, PUSHED_TEXTS);
	uint32_t target;

	te->is_hardlink = true;
	if (flags & PUSHED_FOREIGN) {
		te->link = cursor_text(texts, &te->link_len);
		return texts->is_bad ? pushed_corrupt(p, "a link") : 0;
	}
	target = cursor_u32(column(p, PUSHED_TARGETS));
	if (column(p, PUSHED_TARGETS)->is_bad || target >= p->n ||
	    write_path(p, target, p->target, &te->link_len) < 0)
		return pushed_corrupt(p, "a hard link");
	te->link = p->target;
	return 0;
}

static int take_entry(struct pushed *p, uint32_t id)
{
	const uint8_t *flags = cursor_take(column(p, PUSHED_FLAGS), 1);
	struct tar_entry te = {.path = p->path, .mode = S_IFDIR};
	uint32_t file;
	int rc;

	if (!flags)
		return pushed_corrupt(p, "an entry without flags");
	te.is_implied = *flags & PUSHED_IMPLIED;
	if (*flags & (PUSHED_HARDLINK | PUSHED_FOREIGN))
		rc = take_link(p, *flags, &te);
	else
		rc = te.is_implied ? 0 : take_inode(p, &te);
	if (rc == 0)
		rc = enter_path(p, id, &te.path_len);
	if (rc == 0)
		rc = tree_add(p->tree, &te, &file, p->e);
	return rc;
}

static int take_entries(struct pushed *p)
{
	uint32_t i;
	int rc = take_names(p);

	if (rc == 0)
		rc = take_children(p);
	if (rc == 0)
		rc = take_xattr_lists(p);
	p->path_of = UINT32_MAX;
	for (i = 0; i < p->n && rc == 0; i++)
		rc = take_entry(p, i);
	return rc;
}

/* Spans */

static int take_sums(struct pushed *p, struct span *sp)
{
	struct cursor *c = column(p, PUSHED_SUMS);
	const uint8_t *sums = cursor_take(c, 1 + sizeof(sp->digest) + 1 + 4);

	if (!sums)
		return pushed_corrupt(p, "no digest of a span");
	sp->digest_is_of_output = sums[0] == 1;
	memcpy(sp->digest, sums + 1, sizeof(sp->digest));
	sp->has_crc = sums[1 + sizeof(sp->digest)] == 1;
	if (sp->has_crc)
		sp->crc = get_le32(sums + 2 + sizeof(sp->digest));
	return 0;
}

/* Packs its window for the index. *packed is freed by the caller. */
static int take_window(struct pushed *p, struct span *sp, uint8_t **packed)
{
	struct cursor *c = column(p, PUSHED_WINDOWS);
	uint64_t len = cursor_number(c);
	const void *runs = cursor_take(c, len);
	struct window *w;
	int rc;

	if (c->is_bad || (len > 0 && sp->kind != SPAN_DEFLATE))
		return pushed_corrupt(p, "the window of a span");
	if (len == 0)
		return 0;
	w = malloc(sizeof(*w));
	*packed = malloc(WINDOW_PACKED_MAX);
	rc = w && *packed ? window_read_runs(runs, (size_t)len, w) : -ENOMEM;
	if (rc == 0 && w->len > sp->out)
		rc = -EBADMSG;
	if (rc == 0)
		rc = window_pack(w, *packed, &sp->window_len);
	sp->window = *packed;
	free(w);
	return rc == -EBADMSG ? pushed_corrupt(p, "the window of a span") : rc;
}

static int take_span(struct pushed *p)
{
	struct cursor *c = column(p, PUSHED_SPANS);
	struct span sp = {.out = p->out};
	uint8_t *packed = NULL;
	uint64_t kind, bits;
	int rc;

	sp.in = p->in_end + cursor_signed(c);
	sp.in_len = cursor_number(c);
	sp.out_len = cursor_number(c);
	sp.skip = cursor_number(c);
	kind = cursor_number(c);
	bits = cursor_number(c);
	sp.kind = (enum span_kind)(kind <= SPAN_ZSTD ? kind : SPAN_PLAIN);
	sp.bits = bits < 8 ? (uint8_t)bits : 0;
	if (c->is_bad || kind > SPAN_ZSTD || bits > 7 || sp.out_len == 0 ||
	    !range_fits(sp.in, sp.in_len, p->blob_size) ||
	    !range_fits(sp.out, sp.out_len, p->decoded_size))
		return pushed_corrupt(p, "a span that is not in the layer");
	rc = take_sums(p, &sp);
	if (rc == 0)
		rc = take_window(p, &sp, &packed);
	if (rc == 0 && !span_is_sane(&sp, p->blob_size))
		rc = pushed_corrupt(p, "an invalid span");
	if (rc == 0)
		rc = tree_add_span(p->tree, &sp);
	free(packed);
	p->in_end = sp.in + sp.in_len;
	p->out += sp.out_len;
	return rc;
}

static int take_spans(struct pushed *p)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < p->n_spans && rc == 0; i++)
		rc = take_span(p);
	if (rc == 0 && p->out != p->decoded_size)
		rc = pushed_corrupt(p, "spans that do not cover the layer");
	return rc;
}

/* The head */

static int check_layer(const struct pushed *p, uint64_t alg, struct cursor *c,
		       const struct digest *blob, uint64_t blob_size)
{
	const uint8_t *bytes;

	if (c->is_bad || alg != blob->alg)
		return pushed_corrupt(p, "the head");
	bytes = cursor_take(c, digest_size(blob->alg));
	if (!bytes || memcmp(bytes, blob->bytes, digest_size(blob->alg)) != 0 ||
	    p->blob_size != blob_size)
		return err_set(p->e, -EBADMSG, "its pushed index is of another layer");
	return 0;
}

static int take_head(struct pushed *p, struct cursor *c, const struct digest *blob,
		     uint64_t blob_size)
{
	const void *magic = cursor_take(c, PUSHED_MAGIC_LEN);
	uint64_t alg, compression, len;
	size_t i;
	int rc;

	if (!magic || memcmp(magic, PUSHED_MAGIC, PUSHED_MAGIC_LEN) != 0)
		return pushed_corrupt(p, "it is no index, or of another version");
	alg = cursor_number(c);
	p->blob_size = cursor_number(c);
	p->decoded_size = cursor_number(c);
	compression = cursor_number(c);
	p->n = cursor_u32(c);
	p->n_spans = cursor_u32(c);
	p->n_skipped = cursor_u32(c);
	rc = check_layer(p, alg, c, blob, blob_size);
	if (rc < 0)
		return rc;
	if (p->n == 0 || p->n > PUSHED_ENTRIES_MAX || compression > COMPRESSION_ZSTD)
		return pushed_corrupt(p, "the head");
	p->compression = (enum compression)compression;
	for (i = 0; i < N_PUSHED_COLUMNS; i++)
		p->columns[i].at = (const uint8_t *)(uintptr_t)cursor_number(c);
	for (i = 0; i < N_PUSHED_COLUMNS; i++) {
		len = (uintptr_t)p->columns[i].at;
		p->columns[i].at = cursor_take(c, len);
		if (!p->columns[i].at)
			return pushed_corrupt(p, "it is cut");
		p->columns[i].end = p->columns[i].at + len;
	}
	return 0;
}

int pushed_parse(const void *data, size_t len, const struct digest *blob,
		 uint64_t blob_size, struct tree *tree, struct pushed_facts *out,
		 struct err *e)
{
	struct cursor c = {.at = data, .end = (const uint8_t *)data + len};
	struct pushed *p = calloc(1, sizeof(*p));
	struct cursor *skipped;
	int rc;

	if (!p)
		return -ENOMEM;
	p->tree = tree;
	p->e = e;
	rc = take_head(p, &c, blob, blob_size);
	if (rc == 0)
		rc = take_entries(p);
	if (rc == 0)
		rc = take_spans(p);
	if (rc == 0) {
		skipped = column(p, PUSHED_SKIPPED);
		tree_add_skipped(tree, p->n_skipped, (const char *)skipped->at,
				 (size_t)(skipped->end - skipped->at));
		*out = (struct pushed_facts){p->decoded_size, p->compression};
	}
	free(p->names);
	free(p->parents);
	free(p->xattrs);
	free(p->lists);
	free(p);
	return rc;
}

static int check_digest(const void *data, size_t len, const struct digest *want,
			struct err *e)
{
	struct digest have;
	int rc = digest_of(want->alg, data, len, &have);

	if (rc == 0 && !digest_equal(&have, want))
		rc = err_set(e, -EBADMSG, "its pushed index has the wrong digest");
	return rc;
}

int pushed_read(struct source *pushed, const struct digest *want,
		const struct blob_reader *r, const struct digest *blob, struct tree *tree,
		struct pushed_facts *out, struct err *e)
{
	const struct blob_reader whole = {pushed, r->cancelled, r->bytes, r->store};
	size_t size = (size_t)pushed->size;
	struct buf raw;
	char *data;
	int rc;

	if (pushed->size > PUSHED_SIZE_MAX)
		return err_set(e, -E2BIG, "its pushed index has more than %u MiB",
			       PUSHED_SIZE_MAX >> 20);
	data = malloc(size + 1);
	if (!data)
		return -ENOMEM;
	buf_init(&raw, PUSHED_RAW_MAX);
	rc = blob_reader_read(&whole, data, size, 0, e);
	if (rc == 0)
		rc = check_digest(data, size, want, e);
	if (rc == 0)
		rc = zstd_unpack(data, size, &raw, e);
	if (rc == 0)
		rc = pushed_parse(raw.data, raw.len, blob, r->blob->size, tree, out, e);
	buf_release(&raw);
	free(data);
	return rc;
}
