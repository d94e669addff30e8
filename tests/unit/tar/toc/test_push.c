/* SPDX-License-Identifier: MIT */
/* An index, pushed and read again, is the same; what is damaged or foreign is refused. */
#include "tar/toc/push.h"

#include <unistd.h>

#include "tar/codec/span.h"
#include "tar/toc/pushed.h"
#include "tests/unit/plant.h"
#include "tests/unit/test.h"

#define RAW_MAX (1u << 20)

static const char lines[] = "d ./\n"
			    "d usr\n"
			    "f usr/b 5000\n"
			    "f usr/a 10\n"
			    "f usr/empty 0\n"
			    "l bin usr/bin\n"
			    "f deep/er/and/deeper/file 1234567\n"
			    "h usr/c usr/b\n"
			    "h a usr/b\n"
			    "h lost/link lost/below\n"
			    "h late zz\n"
			    "f zz 77\n"
			    "c null 1:3\n"
			    "c gone 0:0\n"
			    "p pipe\n"
			    "f usr/.wh.x 0\n"
			    "f old/.wh..wh..opq 0\n"
			    "f twice 5\n"
			    "f twice 6\n"
			    "h h1 h2\n"
			    "h h2 h1\n";

static void add_noted(struct plant *p)
{
	static const struct tar_xattr xattrs[] = {{"user.a", "1\0002", 3},
						  {"user.b", "", 0}};
	struct tar_entry e = plant_file("noted", 5);

	e.xattrs = xattrs;
	e.n_xattrs = 2;
	e.mtime = -5;
	e.mtime_ns = 7;
	plant_must(plant_add(p, &e), "a file");
	e = plant_file("also", 4);
	e.xattrs = xattrs;
	e.n_xattrs = 1;
	plant_must(plant_add(p, &e), "a file");
}

/* Spans that cover all of PLANT_DECODED_SIZE. */
static void add_spans(struct plant *p)
{
	struct span sp = {.kind = SPAN_ZSTD, .in = 10, .in_len = 500};
	unsigned i;

	for (i = 0; i < 1024; i++) {
		sp.digest[i % 32] = (uint8_t)i;
		sp.out = (uint64_t)i << 30;
		sp.out_len = 1u << 30;
		sp.has_crc = i % 2;
		sp.crc = i % 2 ? i * 77777u : 0;
		plant_must(tree_add_span(p->tree, &sp), "a span");
		sp.in += 500 - i % 2;
	}
}

static struct index *make_index(void)
{
	struct plant p;

	plant_begin(&p);
	plant_lines(&p, lines);
	add_noted(&p);
	add_spans(&p);
	return plant_open(&p);
}

static int parse(const void *data, size_t len, struct plant *p,
		 struct pushed_facts *facts)
{
	plant_begin(p);
	return pushed_parse(data, len, &plant_digest, PLANT_BLOB_SIZE, p->tree, facts,
			    NULL);
}

static int parse_only(const void *data, size_t len)
{
	struct pushed_facts facts;
	struct plant p;
	/* behind it is no byte that may be read */
	void *copy = malloc(len + (len == 0));
	int rc;

	memcpy(copy, data, len);
	rc = parse(copy, len, &p, &facts);
	free(copy);
	tree_free(p.tree);
	close(p.fd);
	return rc;
}

static unsigned entries_differ(const struct index *x, const struct index *y)
{
	struct entry p, q;
	unsigned wrong = 0;
	uint32_t i;

	for (i = 0; index_entry(x, i, &p) == 0 && p.name_len + (i == 0) > 0; i++) {
		if (index_entry(y, i, &q) < 0)
			return wrong + 1;
		wrong += p.inode != q.inode && p.inode < index_info(y)->n_entries;
		if (p.size == 0)
			p.data = q.data = 0;
		wrong += p.mtime != q.mtime || p.mtime_ns != q.mtime_ns ||
			 p.gid != q.gid || p.size != q.size || p.flags != q.flags ||
			 p.rdev_minor != q.rdev_minor || p.data != q.data ||
			 p.nlink != q.nlink;
	}
	return wrong;
}

static unsigned spans_differ(const struct index *x, const struct index *y)
{
	unsigned wrong = index_info(x)->n_spans != index_info(y)->n_spans;
	struct span p, q;
	uint32_t i;

	for (i = 0; index_span(x, i, &p) == 0 && index_span(y, i, &q) == 0; i++)
		wrong += memcmp(p.digest, q.digest, 32) != 0 || p.in != q.in ||
			 p.in_len != q.in_len || p.out != q.out || p.crc != q.crc ||
			 p.has_crc != q.has_crc || p.kind != q.kind;
	return wrong;
}

static void test_xattrs(const struct index *ix)
{
	struct entry root, e;
	struct xattr x;
	uint64_t pos;

	if (!is_int(index_entry(ix, 0, &root), 0, "the root") ||
	    !is_int(index_find(ix, &root, "noted", 5, &e), 0, "a file with attributes"))
		return;
	pos = e.xattrs;
	is_int(pos ? index_xattr(ix, &pos, &x) : -1, 0, "an attribute");
	ok(x.name_len == 6 && memcmp(x.name, "user.a", 6) == 0 && x.value_len == 3 &&
		   memcmp(x.value, "1\0002", 3) == 0,
	   "with its value");
	is_int(pos ? index_xattr(ix, &pos, &x) : -1, 0, "another");
	ok(pos == 0 && x.value_len == 0, "which is empty, and the last");
}

static void test_same(const struct index *ix, const struct buf *raw)
{
	struct buf before, after, again;
	struct pushed_facts facts = {0};
	struct index_info whole;
	struct index *back = NULL;
	unsigned wrong;
	struct plant p;

	buf_init(&before, RAW_MAX);
	buf_init(&after, RAW_MAX);
	buf_init(&again, RAW_MAX);
	if (!is_int(parse(raw->data, raw->len, &p, &facts), 0, "it is read again"))
		return;
	ok(facts.decoded_size == PLANT_DECODED_SIZE &&
		   facts.compression == COMPRESSION_GZIP,
	   "with its facts");
	whole = (struct index_info){.blob = plant_digest,
				    .blob_size = PLANT_BLOB_SIZE,
				    .decoded_size = facts.decoded_size,
				    .compression = facts.compression};
	plant_must(tree_finish(p.tree, &whole, NULL), "the index");
	tree_free(p.tree);
	plant_must(index_open(p.fd, &plant_digest, &back, NULL), "the index");
	plant_must(plant_dump(ix, &before, &wrong), "a dump");
	plant_must(plant_dump(back, &after, &wrong), "a dump");
	is_int(wrong, 0, "it is consistent");
	is_text(buf_text(&after), buf_text(&before), "the same tree");
	is_int(entries_differ(ix, back), 0, "the same entries");
	is_int(spans_differ(ix, back), 0, "the same spans");
	test_xattrs(back);
	is_int(push_write_raw(back, &again, NULL), 0, "it is written again");
	ok(again.len == raw->len && memcmp(again.data, raw->data, raw->len) == 0,
	   "as the same bytes");
	index_close(back);
	buf_release(&before);
	buf_release(&after);
	buf_release(&again);
}

static void test_bad(const struct buf *raw)
{
	struct digest other = plant_digest;
	struct pushed_facts facts;
	unsigned taken = 0, odd = 0;
	struct plant p;
	size_t i;
	int rc;

	for (i = 0; i < raw->len; i += 1 + i / 64)
		taken += parse_only(raw->data, i) == 0;
	is_int(taken, 0, "what is cut is refused");
	for (i = 0; i < raw->len; i += 1 + i / 256) {
		raw->data[i] ^= (char)(i % 5 ? 0x41 : 0xff);
		rc = parse_only(raw->data, raw->len);
		odd += rc != 0 && rc != -EBADMSG;
		raw->data[i] ^= (char)(i % 5 ? 0x41 : 0xff);
	}
	is_int(odd, 0, "a flipped byte is harmless");
	other.bytes[31] ^= 1;
	plant_begin(&p);
	is_int(pushed_parse(raw->data, raw->len, &other, PLANT_BLOB_SIZE, p.tree, &facts,
			    NULL),
	       -EBADMSG, "of another layer");
	is_int(pushed_parse(raw->data, raw->len, &plant_digest, PLANT_BLOB_SIZE + 1,
			    p.tree, &facts, NULL),
	       -EBADMSG, "of another size");
	tree_free(p.tree);
	close(p.fd);
}

/* The packed form, which a source has. */
static void test_packed(const struct index *ix)
{
	struct buf a, b;

	buf_init(&a, RAW_MAX);
	buf_init(&b, RAW_MAX);
	is_int(push_write(ix, &a, NULL), 0, "packed");
	is_int(push_write(ix, &b, NULL), 0, "and again");
	ok(a.len == b.len && a.len > 0 && memcmp(a.data, b.data, a.len) == 0,
	   "the same bytes");
	buf_release(&a);
	buf_release(&b);
}

/* What a reader could not compare with the headers in the layer. */
static void test_left_out(const char *what, const char *text, bool is_sparse)
{
	static const struct extent extents[] = {{100, 10}};
	struct tar_entry e = plant_file("sparse", 6);
	struct err why = {""};
	struct index *ix;
	struct plant p;
	struct buf raw;

	buf_init(&raw, RAW_MAX);
	plant_begin(&p);
	plant_lines(&p, text);
	e.size = 1000;
	e.stored = 10;
	e.is_sparse = true;
	e.extents = extents;
	e.n_extents = 1;
	if (is_sparse)
		plant_must(plant_add(&p, &e), "a sparse file");
	ix = plant_open(&p);
	is_int(push_write_raw(ix, &raw, &why), -ENOTSUP, "%s: %s", what, why.text);
	index_close(ix);
	buf_release(&raw);
}

int main(void)
{
	struct index *ix = make_index();
	struct buf raw;

	buf_init(&raw, RAW_MAX);
	if (is_int(push_write_raw(ix, &raw, NULL), 0, "an index is written")) {
		test_same(ix, &raw);
		test_bad(&raw);
		test_packed(ix);
	}
	test_left_out("a sparse file", "f a 1\n", true);
	test_left_out("a file that was replaced, but not its link",
		      "f a 1\nh b a\nf a 2\n", false);
	buf_release(&raw);
	index_close(ix);
	return test_done();
}
