/* SPDX-License-Identifier: MIT */
/*
 * The footer is an empty gzip member of a fixed form:
 *
 *	1f 8b 08 04  00 00 00 00  00 ff  XLEN[2]  extra  01 00 00 ff ff  00 x 8
 *
 *	51 bytes: extra = "SG" LENGTH[2], %016x of the table's offset, "STARGZ"
 *	47 bytes: extra = %016x, "STARGZ"; older
 *	46 bytes: extra = "SG" LENGTH[2], "STARGZEXTERNALTOC"
 *
 * Between the table's offset and the footer is a gzip member with a tar of one file,
 * stargz.index.json.
 *
 * The last TAIL bytes are fetched at once. They have the footer and, for most small
 * layers, the table.
 */
#include "tar/toc/estargz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/num.h"
#include "base/source.h"
#include "tar/archive/reader.h"
#include "tar/codec/flow.h"
#include "tar/codec/gzip.h"
#include "tar/toc/blob_reader.h"
#include "tar/toc/chunked.h"
#include "tar/toc/toc.h"

#define TAIL  (64 * 1024)
#define PIECE (64 * 1024) /* decoded bytes at a time */

#define HEAD_LEN 12 /* including XLEN */
#define END_LEN	 13 /* an empty block, and the trailer */

static bool parse_hex(const char *text, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < 16; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | (uint64_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

/*
 * Recognises a footer with @extra_len bytes of extra. Returns them, without the head of
 * an "SG" field, or NULL.
 */
static const char *find_extra(const char *tail, size_t len, size_t extra_len,
			      size_t *field_len)
{
	static const char head[] = "\x1f\x8b\x08\x04\0\0\0\0\0\xff",
			  end[] = "\1\0\0\xff\xff";
	const char *p = tail + len - (HEAD_LEN + extra_len + END_LEN),
		   *extra = p + HEAD_LEN;

	if (len < HEAD_LEN + extra_len + END_LEN || memcmp(p, head, 10) != 0 ||
	    get_le16(p + 10) != extra_len || memcmp(extra + extra_len, end, 5) != 0)
		return NULL;
	*field_len = extra_len;
	if (extra_len > 4 && memcmp(extra, "SG", 2) == 0) {
		*field_len = extra_len - 4;
		if (get_le16(extra + 2) != *field_len)
			return NULL;
		extra += 4;
	}
	return extra;
}

enum estargz_footer estargz_find_footer(const void *tail, size_t len, uint64_t *off,
					size_t *footer_len)
{
	static const size_t extra_lens[] = {26, 22, 21};
	const char *extra;
	size_t i, field;

	for (i = 0; i < sizeof(extra_lens) / sizeof(extra_lens[0]); i++) {
		extra = find_extra(tail, len, extra_lens[i], &field);
		if (!extra)
			continue;
		*footer_len = HEAD_LEN + extra_lens[i] + END_LEN;
		if (field == 17 && memcmp(extra, "STARGZEXTERNALTOC", 17) == 0)
			return ESTARGZ_EXTERNAL;
		if (field == 22 && memcmp(extra + 16, "STARGZ", 6) == 0 &&
		    parse_hex(extra, off))
			return ESTARGZ_FOOTER;
	}
	return ESTARGZ_NO_FOOTER;
}

/* The state of reading a table: gzip, tar, JSON. */
struct table {
	struct gzip *gzip;
	struct reader *reader;
	struct toc *toc;
	struct hasher *hasher;
	struct err *e;	/* of the current call */
	bool is_found;	/* the file has begun */
	bool is_inside; /* its content is being read */
	uint64_t left;	/* bytes of it still to come */
	uint8_t *out;	/* PIECE bytes */
};

static int estargz_on_entry(void *arg, const struct tar_entry *entry)
{
	struct table *t = arg;
	const char *name = entry->path;

	if (name[0] == '.' && name[1] == '/')
		name += 2;
	t->is_inside = !t->is_found && strcmp(name, "stargz.index.json") == 0;
	if (!t->is_inside)
		return 0;
	if (entry->size != entry->stored || entry->size > TOC_SIZE_MAX)
		return err_set(t->e, -E2BIG, "its table of contents has %llu bytes",
			       (unsigned long long)entry->size);
	t->is_found = true;
	t->left = entry->size;
	return 0;
}

static int estargz_on_content(void *arg, const void *data, size_t len)
{
	struct table *t = arg;

	if (!t->is_inside)
		return 0;
	t->left -= len;
	hasher_update(t->hasher, data, len);
	return toc_feed(t->toc, data, len, t->e);
}

static int estargz_take(void *arg, const void *data, size_t len, struct err *e)
{
	struct table *t = arg;
	struct flow flow = {.in = data, .in_len = len};
	int rc;

	t->e = e;
	do {
		flow.out = t->out;
		flow.out_len = PIECE;
		rc = gzip_run(t->gzip, &flow, false, e);
		if (rc >= 0)
			rc = reader_feed(t->reader, t->out, PIECE - flow.out_len, e);
	} while (rc == 0 && (flow.in_len > 0 || flow.out_len == 0));
	return rc;
}

static int estargz_finish(struct table *t, const struct digest *json,
			  struct toc_facts *out, struct err *e)
{
	struct digest have;

	if (!t->is_found)
		return err_set(e, -ENOENT, "it has no table of contents");
	if (t->left > 0)
		return err_set(e, -EBADMSG, "its table of contents is cut short");
	hasher_finish(t->hasher, &have);
	if (!digest_equal(&have, json))
		return err_set(e, -EBADMSG,
			       "its table of contents does not have the digest in "
			       "the manifest");
	return toc_finish(t->toc, out, e);
}

/* The table is in [off, end) of the blob, whose last @tail_len bytes are in @tail. */
static int estargz_read_table(const struct blob_reader *r, uint64_t off, uint64_t end,
			      const char *tail, size_t tail_len,
			      const struct digest *json, struct tree *tree,
			      struct toc_facts *out, struct err *e)
{
	static const struct reader_ops ops = {.entry = estargz_on_entry,
					      .content = estargz_on_content};
	const struct toc_options options = {
		.kind = SPAN_GZIP, .end = off, .has_landmarks = true};
	uint64_t tail_off = r->blob->size - tail_len;
	struct table t = {0};
	int rc = toc_new(&options, tree, &t.toc);

	if (rc == 0)
		rc = gzip_new(INFLATE_FASTEST, &t.gzip);
	if (rc == 0)
		rc = reader_new(&ops, &t, &t.reader);
	if (rc == 0)
		rc = hasher_new(json->alg, &t.hasher);
	t.out = malloc(PIECE);
	if (rc == 0 && !t.out)
		rc = -ENOMEM;
	if (rc == 0 && off < tail_off)
		rc = blob_reader_stream(r, off, tail_off - off, estargz_take, &t, e);
	if (rc == 0) {
		uint64_t from = off > tail_off ? off : tail_off;

		rc = estargz_take(&t, tail + (from - tail_off), (size_t)(end - from), e);
	}
	if (rc == 0)
		rc = estargz_finish(&t, json, out, e);
	toc_free(t.toc);
	gzip_free(t.gzip);
	reader_free(t.reader);
	hasher_free(t.hasher);
	free(t.out);
	return rc;
}

static int estargz_find_table(const struct blob_reader *r, const char *tail, size_t len,
			      const struct digest *json, struct tree *tree,
			      enum compression *compression, struct toc_facts *out,
			      struct err *e)
{
	struct chunked_place place;
	size_t footer_len = 0;
	uint64_t off = 0;

	if (chunked_find_footer(tail, len, &place)) {
		*compression = COMPRESSION_ZSTD;
		return chunked_read(r, &place, NULL, json, tree, out, e);
	}
	*compression = COMPRESSION_GZIP;
	switch (estargz_find_footer(tail, len, &off, &footer_len)) {
	case ESTARGZ_EXTERNAL:
		return err_set(e, -ENOENT, "its table of contents is in another image");
	case ESTARGZ_NO_FOOTER:
		return err_set(e, -ENOENT,
			       "it has no footer that locates its table of "
			       "contents");
	case ESTARGZ_FOOTER:
		break;
	}
	if (off >= r->blob->size - footer_len)
		return err_set(e, -EBADMSG, "its table of contents is outside the layer");
	return estargz_read_table(r, off, r->blob->size - footer_len, tail, len, json,
				  tree, out, e);
}

int estargz_read(const struct blob_reader *r, const struct digest *json,
		 struct tree *tree, enum compression *compression, struct toc_facts *out,
		 struct err *e)
{
	size_t len = r->blob->size < TAIL ? (size_t)r->blob->size : TAIL;
	char *tail = malloc(TAIL);
	int rc;

	if (!tail)
		return -ENOMEM;
	rc = blob_reader_read(r, tail, len, r->blob->size - len, e);
	if (rc == 0)
		rc = estargz_find_table(r, tail, len, json, tree, compression, out, e);
	free(tail);
	return rc;
}
