/* SPDX-License-Identifier: MIT */
/* Compressed archives of each kind: their decoded bytes, at any offset, and what is kept. */
#include "tar/packed.h"

#include "base/store/documents.h"
#include "tests/unit/tar/layers.h"

static uint64_t n_read; /* bytes of the file */

static bool decoded_is_right(struct source *s)
{
	char *room = malloc(plain.len);
	unsigned seed = 1, i;
	bool right;

	must(room ? 0 : -ENOMEM, "room");
	right = s->size == plain.len &&
		source_read_all(s, room, plain.len, 0, NULL) == 0 &&
		memcmp(room, plain.data, plain.len) == 0;
	for (i = 0; i < 50 && right; i++) {
		size_t off, len = 5000;

		seed = seed * 1103515245 + 12345;
		off = seed % (plain.len - len);
		right = source_read_all(s, room, len, off, NULL) == 0 &&
			memcmp(room, plain.data + off, len) == 0;
	}
	free(room);
	return right;
}

/* Opens form @f, reads all of it, and checks how often the file was read. */
static void check(const struct form *f, const char *identity, unsigned streams,
		  const char *what)
{
	struct store *s = open_store("store");
	struct source *out = NULL;
	struct err e = {""};
	struct blob b;

	blob_init(&b, f->bytes.data, f->bytes.len);
	n_read = 0;
	is_int(packed_open(s, &b.source, identity, NULL, &n_read, &out, &e), 0,
	       "%s: %s %s", f->name, what, e.text);
	ok(out && decoded_is_right(out), "every byte is right");
	source_unref(out);
	is_int(b.preads > 0, streams > 0, "the file is read or not");
	is_int(n_read, streams * f->bytes.len, "so often");
	is_int(b.source.refs, 1, "and is let go");
	store_close(s);
}

static void test_form(const struct form *f)
{
	check(f, NULL, 2, "hashed and indexed");
	check(f, NULL, 1, "again: hashed, the index is in the store");
	check(f, f->name, 1, "named: hashed");
	check(f, f->name, 0, "by that name it is not even hashed");
}

/* A note that is wrong, as after a trick with the clock: damage, and never other bytes. */
static void test_wrong_note(void)
{
	char text[DIGEST_TEXT_MAX];
	struct store *s = open_store("wrong");
	struct source *out = NULL;
	struct err e = {""};
	struct blob b;

	must(store_put_note(s, "archive x", digest_format(&forms[ZSTD].digest, text)),
	     "a note");
	blob_init(&b, forms[GZIP].bytes.data, forms[GZIP].bytes.len);
	is_int(packed_open(s, &b.source, "x", NULL, &n_read, &out, &e), -EBADMSG, "%s",
	       e.text);
	is_int(b.source.refs, 1, "it is let go");
	store_close(s);
}

/*
 * Without room in the store, one long frame is decoded into an unnamed file; what can be entered
 * in its middle is not.
 */
static void test_no_room(void)
{
	struct buf large, frame, gzip;
	struct source *out = NULL;
	struct store *s = NULL;
	struct err e = {""};
	char byte = 0;
	unsigned i;

	archive_init(&large);
	archive_add(&large, plain.data, plain.len);
	archive_zeros(&large, 40u << 20);
	archive_init(&frame);
	make_zstd(&frame, large.data, large.len, &(struct zstd_form){.level = 1});
	archive_init(&gzip);
	make_gzip(&gzip, large.data, large.len, &(struct gzip_form){.level = 1});
	for (i = 0; i < 2; i++) {
		const struct buf *b = i ? &gzip : &frame;
		struct blob blob;

		s = open_store(i ? "keeps no gzip" : "keeps no zstd");
		store_keep_no_data(s);
		n_read = 0;
		blob_init(&blob, b->data, b->len);
		is_int(packed_open(s, &blob.source, NULL, NULL, &n_read, &out, &e), 0,
		       "%s without room %s", i ? "gzip" : "zstd", e.text);
		is_int(n_read, (i ? 2 : 3) * b->len, "read so often");
		is_int(source_pread(out, &byte, 1, 512, NULL), 1, "the first part");
		is_int(source_pread(out, &byte, 1, large.len - 1, NULL), 1,
		       "and the last");
		is_int(n_read > (i ? 2 : 3) * b->len, i,
		       "from the file, or decoded again");
		source_unref(out);
		store_close(s);
	}
	buf_release(&large);
	buf_release(&frame);
	buf_release(&gzip);
}

static void test_bad(void)
{
	struct store *s = open_store("bad");
	struct source *out = NULL;
	struct err e = {""};
	bool cancelled = true;
	struct blob b;

	blob_init(&b, forms[GZIP].bytes.data, forms[GZIP].bytes.len / 2);
	is_int(packed_open(s, &b.source, NULL, NULL, &n_read, &out, &e), -EBADMSG,
	       "a cut one");
	ok(e.text[0] && strncmp(e.text, "layer", 5) != 0, "is no layer: %s", e.text);
	is_int(b.source.refs, 1, "it is let go");
	blob_init(&b, forms[GZIP].bytes.data, forms[GZIP].bytes.len);
	is_int(packed_open(s, &b.source, NULL, &cancelled, &n_read, &out, &e), -EINTR,
	       "interrupted");
	is_int(b.source.refs, 1, "it is let go");
	store_close(s);
}

int main(void)
{
	int i;

	layers_init();
	for (i = GZIP; i < N_FORMS; i++)
		test_form(&forms[i]);
	test_wrong_note();
	test_no_room();
	test_bad();
	layers_release();
	return test_done();
}
