/* SPDX-License-Identifier: MIT */
/*
 * Entries arrive in the order of the table, which is that of the blob. A regular file is
 * kept back until the chunks that follow it are known. Its pieces are kept back until the
 * next piece begins, because that is where they end:
 *
 *	blob	| member or frame     | next one      | ...  table
 *		| piece | piece |     | piece |       |
 *		  inner   inner
 *		  offset  offset   ^ between them: headers of the tar, padding
 *
 * Several pieces may share a member. Pieces that do not ascend are refused: no tool
 * writes them, and sorting a million pieces would cost more than streaming the layer.
 *
 * Redundant values must agree: pieces must cover their file without gap or overlap, and
 * the only piece of a file must have the file's digest.
 *
 * Memory: one file with its pieces, the pieces that share a member, and the tree, each with
 * a ceiling.
 */
#include "tar/toc/toc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/num.h"
#include "tar/index/format.h"
#include "tar/index/tree.h"
#include "tar/toc/toc_entry.h"

/* The depth of the entries in the JSON. Their keys are one deeper. */
#define ENTRIES_DEPTH 1
#define KEY_DEPTH     3

/*
 * Pieces of one file or in one member, which are in memory. The smallest that are common have
 * 64 KiB. A layer with more is streamed.
 */
#define PIECES_MAX ((size_t)400 << 10)

/* A piece of the current file. */
struct toc_piece {
	uint64_t in;
	uint64_t skip;
	uint64_t off; /* in the file */
	uint64_t len; /* 0: up to the end of the file */
	struct digest digest;
	bool is_zeros;
};

struct toc {
	struct toc_options options;
	struct tree *tree;
	struct json_stream *json;
	struct err err; /* set by a callback */
	struct toc_reader reader;
	bool is_in_entries;
	bool has_entries;
	int root_key;
	int64_t version;
	struct toc_entry entries[2];
	struct toc_entry *entry; /* being parsed */
	struct toc_entry *file;	 /* kept back, if it has pieces */
	struct buf pieces;	 /* struct toc_piece each */
	struct buf waiting;	 /* struct span each, all with the same `in` */
	struct buf extents;	 /* struct extent each, for a file with holes */
	uint64_t wanted;	 /* decoded bytes of the member that its spans need */
	/* the latest possible end of the last waiting span's input; 0 if unknown */
	uint64_t stop;
	uint64_t out; /* decoded bytes so far */
	uint64_t prefetch;
};

enum root_key { ROOT_OTHER, ROOT_VERSION, ROOT_ENTRIES };

static int toc_refuse(struct toc *t, int code, const char *what)
{
	const struct buf *name = t->entry->name.len ? &t->entry->name : &t->file->name;

	err_set(&t->err, code, "its table of contents %s", what);
	if (name->len > 0)
		err_prefix(&t->err, code, "%.*s", name->len > 120 ? 120 : (int)name->len,
			   buf_text(name));
	return code;
}

/* Spans */

/*
 * The most bytes that @n decoded bytes take when any reasonable encoder compresses them,
 * including its framing. The input of a piece is only known to end before the next one
 * begins, and thousands of headers may be between.
 */
static uint64_t compressed_most(uint64_t n)
{
	return n + n / 4 + 1024;
}

/* The input of the waiting spans ends at @end, or before it. */
static int settle_spans(struct toc *t, uint64_t end)
{
	struct span *sp = (struct span *)(void *)t->waiting.data;
	size_t i, n = t->waiting.len / sizeof(*sp);
	uint64_t most = compressed_most(t->wanted);
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		if (t->stop > sp[i].in && t->stop < end)
			end = t->stop;
		sp[i].in_len = end - sp[i].in < most ? end - sp[i].in : most;
		rc = tree_add_span(t->tree, &sp[i]);
	}
	buf_clear(&t->waiting);
	t->wanted = t->stop = 0;
	return rc;
}

/* @stop is where the input of the piece ends, or 0 if unknown. */
static int add_span(struct toc *t, const struct toc_piece *p, uint64_t len, uint64_t stop)
{
	struct span *sp = (struct span *)(void *)t->waiting.data, *last;
	size_t n = t->waiting.len / sizeof(*sp);
	struct span new = {
		.kind = t->options.kind,
		.digest_is_of_output = true,
		.in = p->in,
		.out = t->out,
		.out_len = len,
		.skip = p->skip,
	};
	int rc;

	memcpy(new.digest, p->digest.bytes, sizeof(new.digest));
	last = n ? &sp[n - 1] : NULL;
	if (p->in >= t->options.end || p->skip > SPAN_OUT_MAX || len > SPAN_OUT_MAX)
		return toc_refuse(t, -EBADMSG, "has an invalid piece");
	if (last && (p->in < last->in ||
		     (p->in == last->in && p->skip < last->skip + last->out_len)))
		return toc_refuse(t, -ENOTSUP, "is not in the order of the layer");
	if (last && p->in > last->in) {
		rc = settle_spans(t, p->in);
		if (rc < 0)
			return rc;
	}
	if (p->skip + len > t->wanted)
		t->wanted = p->skip + len;
	t->stop = stop;
	rc = buf_append(&t->waiting, &new, sizeof(new));
	if (rc == 0)
		t->out += len;
	return rc == -E2BIG ? toc_refuse(t, rc, "has too many pieces in a member") : rc;
}

/* The current file */

/*
 * A piece without a length reaches to the end of the file. All pieces together must be
 * the file.
 */
static int check_pieces(struct toc *t, struct toc_piece *p, size_t n)
{
	uint64_t off = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i].len == 0 && i + 1 == n && p[i].off <= t->file->size)
			p[i].len = t->file->size - p[i].off;
		if (p[i].len == 0 || p[i].off != off ||
		    !range_fits(off, p[i].len, t->file->size))
			return toc_refuse(t, -EBADMSG,
					  "has pieces that do not make up the file");
		off += p[i].len;
		if (n == 1 && p[i].digest.alg == DIGEST_NONE)
			p[i].digest = t->file->digest;
		if (p[i].digest.alg == DIGEST_NONE && !p[i].is_zeros)
			return toc_refuse(t, -EBADMSG, "has no digest for a piece");
	}
	if (off != t->file->size)
		return toc_refuse(t, -EBADMSG, "has pieces that do not make up the file");
	if (n == 1 && t->file->digest.alg != DIGEST_NONE && !p[0].is_zeros &&
	    !digest_equal(&p[0].digest, &t->file->digest))
		return toc_refuse(t, -EBADMSG, "has two digests for the same bytes");
	return 0;
}

static int add_pieces(struct toc *t, const struct toc_piece *p, size_t n)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		uint64_t stop = t->file->end_offset;

		if (i + 1 < n && p[i + 1].in > p[i].in)
			stop = p[i + 1].in;
		if (!p[i].is_zeros)
			rc = add_span(t, &p[i], p[i].len, stop);
	}
	return rc;
}

/*
 * Makes extents of what is not zeros, and joins neighbours. *stored is the sum of their
 * lengths.
 */
static int find_extents(struct toc *t, const struct toc_piece *p, size_t n,
			uint64_t *stored)
{
	struct extent x = {0};
	size_t i;
	int rc = 0;

	buf_clear(&t->extents);
	*stored = 0;
	for (i = 0; rc == 0 && i <= n; i++) {
		if (i < n && !p[i].is_zeros) {
			if (x.len == 0)
				x.off = p[i].off;
			x.len += p[i].len;
			*stored += p[i].len;
		} else if (x.len > 0) {
			rc = buf_append(&t->extents, &x, sizeof(x));
			x.len = 0;
		}
	}
	return rc;
}

static uint32_t mode_of(const struct toc_entry *t)
{
	static const uint32_t types[] = {
		[TOC_DIR] = S_IFDIR,	  [TOC_REG] = S_IFREG,	[TOC_SYMLINK] = S_IFLNK,
		[TOC_HARDLINK] = S_IFREG, [TOC_CHAR] = S_IFCHR, [TOC_BLOCK] = S_IFBLK,
		[TOC_FIFO] = S_IFIFO,
	};

	return types[t->type] | (t->mode & 07777);
}

static void list_xattrs(const struct toc_entry *t, struct tar_xattr *out)
{
	size_t i;

	for (i = 0; i < t->n_xattrs; i++) {
		out[i] = (struct tar_xattr){
			.name = t->bytes.data + t->xattrs[i].name,
			.value = t->bytes.data + t->xattrs[i].value,
			.len = t->xattrs[i].len,
		};
	}
}

/* The caller has set the size and the place of the content in @te, or neither. */
static int add_entry(struct toc *t, const struct toc_entry *from, struct tar_entry *te)
{
	struct tar_xattr xattrs[PAX_MAX_XATTRS];
	uint32_t file;
	int rc;

	te->path = buf_text(&from->name);
	te->path_len = from->name.len;
	if (from->type == TOC_SYMLINK || from->type == TOC_HARDLINK) {
		te->link = buf_text(&from->link);
		te->link_len = from->link.len;
	}
	te->is_hardlink = from->type == TOC_HARDLINK;
	te->mode = mode_of(from);
	te->uid = from->uid;
	te->gid = from->gid;
	te->mtime = from->mtime;
	te->mtime_ns = from->mtime_ns;
	te->rdev_major = from->dev_major;
	te->rdev_minor = from->dev_minor;
	list_xattrs(from, xattrs);
	te->xattrs = xattrs;
	te->n_xattrs = from->n_xattrs;
	rc = tree_add(t->tree, te, &file, &t->err);
	if (rc == -E2BIG)
		err_prefix(&t->err, rc, "its table of contents");
	te->xattrs = NULL;
	if (rc == 0 && file != TREE_NO_FILE && te->size > 0 &&
	    from->digest.alg != DIGEST_NONE)
		tree_set_digest(t->tree, file, from->digest.bytes);
	return rc;
}

/* All chunks of the current file have arrived. */
static int flush_file(struct toc *t)
{
	struct toc_piece *p = (struct toc_piece *)(void *)t->pieces.data;
	size_t n = t->pieces.len / sizeof(*p);
	struct tar_entry te = {.size = t->file->size, .data = t->out};
	int rc;

	if (n == 0)
		return 0;
	rc = check_pieces(t, p, n);
	if (rc == 0)
		rc = find_extents(t, p, n, &te.stored);
	if (rc < 0)
		return rc;
	if (te.stored < te.size) {
		te.is_sparse = true;
		te.extents = (struct extent *)(void *)t->extents.data;
		te.n_extents = t->extents.len / sizeof(*te.extents);
	}
	rc = add_entry(t, t->file, &te);
	if (rc == 0)
		rc = add_pieces(t, p, n);
	buf_clear(&t->pieces);
	toc_entry_clear(t->file);
	return rc;
}

/* Entries */

static int add_piece(struct toc *t)
{
	const struct toc_entry *en = t->entry;
	struct toc_piece p = {
		.in = en->offset,
		.skip = en->inner_offset,
		.off = en->chunk_offset,
		.len = en->chunk_size,
		.digest = en->chunk_digest,
		.is_zeros = en->is_zeros,
	};

	int rc = buf_append(&t->pieces, &p, sizeof(p));

	return rc == -E2BIG ? toc_refuse(t, rc, "has too many pieces of a file") : rc;
}

static int take_file(struct toc *t)
{
	struct toc_entry *swap = t->file;
	int rc = add_piece(t);

	t->file = t->entry;
	t->entry = swap;
	t->reader.entry = swap;
	return rc;
}

static int take_chunk(struct toc *t)
{
	const struct buf *name = &t->entry->name;

	if (t->pieces.len == 0 || name->len != t->file->name.len ||
	    memcmp(buf_text(name), buf_text(&t->file->name), name->len) != 0)
		return toc_refuse(t, -EBADMSG,
				  "has a chunk that does not follow its file");
	return add_piece(t);
}

/*
 * Files of eStargz itself, in the root. The landmark ends what is meant to be fetched
 * early.
 */
static bool is_landmark(struct toc *t)
{
	const char *name = buf_text(&t->entry->name);

	if (!t->options.has_landmarks)
		return false;
	while (*name == '/' || (name[0] == '.' && name[1] == '/'))
		name++;
	if (strcmp(name, ".prefetch.landmark") == 0) {
		t->prefetch = t->out;
		return true;
	}
	return strcmp(name, ".no.prefetch.landmark") == 0 ||
	       strcmp(name, "stargz.index.json") == 0;
}

static int take_entry(struct toc *t)
{
	struct tar_entry te = {0};
	int rc;

	if (t->entry->type == TOC_NONE)
		return toc_refuse(t, -EBADMSG, "has an entry without a type");
	if (t->entry->type == TOC_CHUNK)
		return take_chunk(t);
	rc = flush_file(t);
	if (rc < 0 || is_landmark(t))
		return rc;
	if (t->entry->type == TOC_REG && t->entry->size > 0)
		return take_file(t);
	te.data = t->out;
	return add_entry(t, t->entry, &te);
}

/* The JSON around the entries */

static int take_root_value(struct toc *t, const struct json_event *ev)
{
	if (t->root_key == ROOT_VERSION && ev->kind == JSON_EVENT_VALUE) {
		t->version = ev->is_whole ? ev->number : -1;
	} else if (t->root_key == ROOT_ENTRIES && ev->kind == JSON_EVENT_OPEN) {
		if (ev->type != JSON_ARRAY || t->has_entries)
			return toc_refuse(t, -EBADMSG, "has no list of entries, or two");
		t->has_entries = t->is_in_entries = true;
	}
	return 0;
}

static int find_root_key(const struct json_event *ev)
{
	if (ev->len == strlen("version") &&
	    strncasecmp(ev->text, "version", ev->len) == 0)
		return ROOT_VERSION;
	if (ev->len == strlen("entries") &&
	    strncasecmp(ev->text, "entries", ev->len) == 0)
		return ROOT_ENTRIES;
	return ROOT_OTHER;
}

static int toc_on_event(void *arg, const struct json_event *ev)
{
	struct toc *t = arg;
	bool is_entry = t->is_in_entries && ev->depth == ENTRIES_DEPTH + 1;

	if (ev->depth == 0 && ev->type != JSON_OBJECT)
		return toc_refuse(t, -EBADMSG, "is not an object");
	if (ev->depth == ENTRIES_DEPTH && ev->kind == JSON_EVENT_KEY) {
		t->root_key = find_root_key(ev);
	} else if (ev->depth == ENTRIES_DEPTH) {
		if (ev->kind == JSON_EVENT_CLOSE)
			t->is_in_entries = false;
		else
			return take_root_value(t, ev);
	} else if (is_entry && ev->kind == JSON_EVENT_OPEN && ev->type == JSON_OBJECT) {
		toc_entry_clear(t->entry);
		t->reader.field = 0;
	} else if (is_entry) {
		return ev->kind == JSON_EVENT_CLOSE
			       ? take_entry(t)
			       : toc_refuse(t, -EBADMSG,
					    "has an entry that is not an object");
	} else if (t->is_in_entries) {
		return toc_reader_take(&t->reader, ev, KEY_DEPTH, &t->err);
	}
	return 0;
}

int toc_new(const struct toc_options *options, struct tree *tree, struct toc **out)
{
	struct toc *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	t->options = *options;
	t->tree = tree;
	t->entry = t->reader.entry = &t->entries[0];
	t->file = &t->entries[1];
	toc_entry_init(&t->entries[0]);
	toc_entry_init(&t->entries[1]);
	buf_init(&t->pieces, PIECES_MAX * sizeof(struct toc_piece));
	buf_init(&t->waiting, PIECES_MAX * sizeof(struct span));
	buf_init(&t->extents, PIECES_MAX * sizeof(struct extent));
	rc = json_stream_new(toc_on_event, t, &t->json);
	if (rc < 0)
		toc_free(t);
	else
		*out = t;
	return rc;
}

void toc_free(struct toc *t)
{
	if (!t)
		return;
	json_stream_free(t->json);
	toc_entry_release(&t->entries[0]);
	toc_entry_release(&t->entries[1]);
	buf_release(&t->pieces);
	buf_release(&t->waiting);
	buf_release(&t->extents);
	free(t);
}

/* An error code of a callback came through the JSON parser without its sentence. */
static int toc_sentence(const struct toc *t, int rc, struct err *e)
{
	if (rc < 0 && t->err.text[0])
		err_set(e, rc, "%s", t->err.text);
	else if (rc < 0)
		err_prefix(e, rc, "its table of contents");
	return rc;
}

int toc_feed(struct toc *t, const void *json, size_t len, struct err *e)
{
	return toc_sentence(t, json_stream_feed(t->json, json, len, e), e);
}

int toc_finish(struct toc *t, struct toc_facts *out, struct err *e)
{
	int rc = json_stream_finish(t->json, e);

	if (rc == 0)
		rc = flush_file(t);
	if (rc == 0)
		rc = settle_spans(t, t->options.end);
	if (rc == 0 && (t->version != 1 || !t->has_entries))
		rc = toc_refuse(t, -ENOTSUP, "has another version than 1, or no entries");
	if (rc < 0)
		return toc_sentence(t, rc, e);
	*out = (struct toc_facts){.decoded_size = t->out, .prefetch = t->prefetch};
	return 0;
}
