/* SPDX-License-Identifier: MIT */
/*
 *	frames: a tar				zstd, RFC 8878
 *	50 2a 4d 18 LENGTH[4] table		a skippable frame; offsets are those of `table`
 *	50 2a 4d 18 LENGTH[4] tar-split		one dialect; not used
 *	50 2a 4d 18 LENGTH[4] footer
 *
 * The footer has 64 or 40 bytes of little-endian 8-byte words: the offset, length,
 * decompressed length and type of the table; in the longer one the same three of the
 * tar-split; then a magic, "GNUlInUx" or "GnUlInUx".
 */
#include "tar/toc/chunked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"
#include "base/source.h"
#include "tar/codec/flow.h"
#include "tar/codec/zstd.h"
#include "tar/toc/blob_reader.h"
#include "tar/toc/toc.h"

#define TYPE_TOC   1
#define FRAME_HEAD 8
#define FOOTER_MIN 40

#define PIECE (64 * 1024) /* of JSON at a time */

int chunked_parse_position(const char *text, struct chunked_place *out, struct err *e)
{
	uint64_t v[4] = {0};
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(text, ":");

		if (n == 4 || !num_parse(text, len, INT64_MAX, &v[n]))
			return err_set(
				e, -EBADMSG,
				"the place of its table of contents is unreadable");
		n++;
		text += len;
		if (*text == '\0')
			break;
		text++;
	}
	if (n != 4)
		return err_set(e, -EBADMSG,
			       "the place of its table of contents is unreadable");
	if (v[3] != TYPE_TOC)
		return err_set(e, -ENOTSUP,
			       "its table of contents is of an unknown type");
	*out = (struct chunked_place){.off = v[0], .len = v[1], .json_len = v[2]};
	return 0;
}

bool chunked_find_footer(const void *tail, size_t len, struct chunked_place *out)
{
	const char *end = (const char *)tail + len, *footer;
	size_t size;

	if (len < FOOTER_MIN)
		return false;
	if (memcmp(end - 8, "GNUlInUx", 8) == 0)
		size = 64;
	else if (memcmp(end - 8, "GnUlInUx", 8) == 0)
		size = 40;
	else
		return false;
	if (len < size)
		return false;
	footer = end - size;
	if (get_le64(footer + 24) != TYPE_TOC)
		return false;
	*out = (struct chunked_place){
		.off = get_le64(footer),
		.len = get_le64(footer + 8),
		.json_len = get_le64(footer + 16),
	};
	return true;
}

/* The state of reading a table. */
struct table {
	struct toc *toc;
	struct zstd *zstd;
	struct hasher *table_hasher;
	struct hasher *json_hasher;
	uint64_t left; /* bytes of JSON still to come */
	uint8_t *json; /* PIECE bytes */
};

static int chunked_take(void *arg, const void *data, size_t len, struct err *e)
{
	struct table *t = arg;
	struct flow flow = {.in = data, .in_len = len};
	int rc;

	hasher_update(t->table_hasher, data, len);
	do {
		size_t n;

		flow.out = t->json;
		flow.out_len = PIECE;
		rc = zstd_run(t->zstd, &flow, e);
		if (rc < 0)
			return rc;
		n = PIECE - flow.out_len;
		if (n > t->left)
			return err_set(e, -EBADMSG,
				       "its table of contents is longer than stated");
		t->left -= n;
		hasher_update(t->json_hasher, t->json, n);
		rc = toc_feed(t->toc, t->json, n, e);
	} while (rc == 0 && (flow.in_len > 0 || flow.out_len == 0));
	return rc;
}

static int check_digest(struct hasher *hasher, const struct digest *want, struct err *e)
{
	struct digest have;

	hasher_finish(hasher, &have);
	if (want && !digest_equal(&have, want))
		return err_set(e, -EBADMSG,
			       "its table of contents does not have the digest in "
			       "the manifest");
	return 0;
}

static int table_init(struct table *t, const struct chunked_place *place,
		      const struct digest *table, const struct digest *json,
		      struct tree *tree)
{
	/* The head of the table's own frame is not part of a file. */
	const struct toc_options options = {
		.kind = SPAN_ZSTD,
		.end = place->off - FRAME_HEAD,
		.has_landmarks = json != NULL,
	};
	int rc = toc_new(&options, tree, &t->toc);

	if (rc == 0)
		rc = zstd_new(&t->zstd);
	if (rc == 0)
		rc = hasher_new(table ? table->alg : DIGEST_SHA256, &t->table_hasher);
	if (rc == 0)
		rc = hasher_new(json ? json->alg : DIGEST_SHA256, &t->json_hasher);
	t->left = place->json_len;
	t->json = malloc(PIECE);
	return rc < 0 || t->json ? rc : -ENOMEM;
}

int chunked_read(const struct blob_reader *r, const struct chunked_place *place,
		 const struct digest *table, const struct digest *json, struct tree *tree,
		 struct toc_facts *out, struct err *e)
{
	struct table t = {0};
	int rc;

	if (place->off < FRAME_HEAD || place->json_len > TOC_SIZE_MAX ||
	    place->len > TOC_SIZE_MAX ||
	    !range_fits(place->off, place->len, r->blob->size))
		return err_set(e, -EBADMSG, "its table of contents is outside the layer");
	rc = table_init(&t, place, table, json, tree);
	if (rc == 0)
		rc = blob_reader_stream(r, place->off, place->len, chunked_take, &t, e);
	if (rc == 0 && (t.left > 0 || !zstd_is_between(t.zstd)))
		rc = err_set(e, -EBADMSG, "its table of contents is shorter than stated");
	if (rc == 0)
		rc = check_digest(t.table_hasher, table, e);
	if (rc == 0)
		rc = check_digest(t.json_hasher, json, e);
	if (rc == 0)
		rc = toc_finish(t.toc, out, e);
	toc_free(t.toc);
	zstd_free(t.zstd);
	hasher_free(t.table_hasher);
	hasher_free(t.json_hasher);
	free(t.json);
	return rc;
}
