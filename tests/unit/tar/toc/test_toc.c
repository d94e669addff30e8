/* SPDX-License-Identifier: MIT */
/*
 * Tables of contents by rule: the entries and spans that they become, and which tables
 * are refused.
 */
#include "tar/codec/span.h"
#include "tar/toc/toc.h"

#include "tests/unit/plant.h"
#include "tests/unit/test.h"

/* Arbitrary digests. */
#define HEX15 "000000000000000000000000000000000000000000000000000000000000000"
#define D(x)  "\"sha256:" HEX15 #x "\""

#define END 100000

/* The result of a table: its tree and its spans. */
static int read_pieces(const char *json, size_t piece, bool has_landmarks,
		       struct plant *p, struct toc_facts *facts, struct err *e)
{
	const struct toc_options options = {SPAN_GZIP, END, has_landmarks};
	size_t len = strlen(json);
	struct toc *t = NULL;
	int rc;

	plant_begin(p);
	plant_must(toc_new(&options, p->tree, &t), "a table");
	for (rc = 0; rc == 0 && len > 0; json += piece, len -= piece) {
		if (piece > len)
			piece = len;
		rc = toc_feed(t, json, piece, e);
	}
	if (rc == 0)
		rc = toc_finish(t, facts, e);
	toc_free(t);
	if (rc < 0) {
		tree_free(p->tree);
		close(p->fd);
	}
	return rc;
}

static void write_spans(const struct index *ix, struct buf *out)
{
	struct span sp;
	uint32_t i;

	for (i = 0; index_span(ix, i, &sp) == 0; i++)
		plant_must(buf_printf(out, "@%llu+%llu skip %llu -> %llu+%llu %x\n",
				      (unsigned long long)sp.in,
				      (unsigned long long)sp.in_len,
				      (unsigned long long)sp.skip,
				      (unsigned long long)sp.out,
				      (unsigned long long)sp.out_len, sp.digest[31]),
			   "text");
}

static void expect(const char *json, const char *want, const char *what)
{
	static const size_t pieces[] = {1000000, 1, 13};
	struct toc_facts facts;
	unsigned wrong = 0;
	struct index *ix;
	struct plant p;
	struct err e = {""};
	struct buf out;
	size_t i;

	buf_init(&out, 100000);
	for (i = 0; i < 3; i++) {
		buf_clear(&out);
		is_int(read_pieces(json, pieces[i], true, &p, &facts, &e), 0, "%s%s",
		       what, e.text);
		ix = plant_open(&p);
		plant_must(plant_dump(ix, &out, &wrong), "a dump");
		write_spans(ix, &out);
		is_text(buf_text(&out), want, "as it is meant");
		index_close(ix);
	}
	is_int(wrong, 0, "and nothing wrong");
	buf_release(&out);
}

#define TABLE(entries) "{\"version\": 1, \"entries\": [" entries "]}"

static void test_types(void)
{
	expect(TABLE("{\"name\":\"d/\",\"type\":\"dir\",\"mode\":493,\"uid\":1},"
		     "{\"name\":\"d/l\",\"type\":\"symlink\",\"linkName\":\"../x\",\"uid\":2},"
		     "{\"name\":\"c\",\"type\":\"char\",\"devMajor\":1,\"devMinor\":3,\"uid\":3},"
		     "{\"name\":\"b\",\"type\":\"block\",\"uid\":4,\"userName\":\"x\"},"
		     "{\"name\":\"p\",\"type\":\"fifo\",\"uid\":5},"
		     "{\"NAME\":\"e\",\"Type\":\"reg\",\"uid\":6,\"xattrs\":null},"
		     "{\"name\":\"h\",\"type\":\"hardlink\",\"linkName\":\"later\"},"
		     "{\"name\":\"later\",\"type\":\"reg\",\"uid\":7,\"other\":[{\"name\":\"z\"}]},"
		     "{\"name\":\"a/.wh.b\",\"type\":\"reg\",\"uid\":8}"),
	       "d / I\nd a Iw\nf a/.wh.b #8 W\nb b #4\nc c #3\nd d #1\nl d/l #2 -> ../x\n"
	       "f e #6\nf h #7 x2\nf later #7 x2\np p #5\n",
	       "types");
}

#define REG(name, more)	  "{\"name\":\"" name "\",\"type\":\"reg\"," more "}"
#define CHUNK(name, more) "{\"name\":\"" name "\",\"type\":\"chunk\"," more "}"

static void test_pieces(void)
{
	expect(TABLE(REG("a", "\"size\":5,\"offset\":100,\"digest\":" D(1)) "," REG(
		       "b", "\"size\":7,\"offset\":150,\"chunkDigest\":" D(2))),
	       "d / I\nf a\nf b\n"
	       "@100+50 skip 0 -> 0+5 1\n"
	       "@150+1032 skip 0 -> 5+7 2\n",
	       "a piece ends where the next begins, or soon");
	expect(TABLE(REG("a", "\"size\":10,\"offset\":100,\"chunkSize\":4,\"chunkDigest\":" D(1)) "," CHUNK(
		       "a",
		       "\"offset\":120,\"chunkOffset\":4,\"chunkSize\":4,"
		       "\"chunkDigest\":" D(
			       2)) "," CHUNK("a",
					     "\"offset\":130,\"chunkOffset\":8,\"chunkDigest\":" D(
						     3))),
	       "d / I\nf a\n"
	       "@100+20 skip 0 -> 0+4 1\n@120+10 skip 0 -> 4+4 2\n@130+1026 skip 0 -> 8+2 3\n",
	       "chunks");
	expect(TABLE(REG("a", "\"size\":5,\"offset\":100,\"digest\":" D(1)) "," REG(
		       "b",
		       "\"size\":7,\"offset\":100,\"innerOffset\":1024,\"digest\":" D(
			       2)) "," REG("c",
					   "\"size\":9,\"offset\":300,\"digest\":" D(3))),
	       "d / I\nf a\nf b\nf c\n"
	       "@100+200 skip 0 -> 0+5 1\n@100+200 skip 1024 -> 5+7 2\n@300+1035 skip 0 -> 12+9 3\n",
	       "pieces that share a member");
	expect(TABLE(REG(
		       "a",
		       "\"size\":8,\"offset\":100,\"endOffset\":160,\"chunkSize\":3,"
		       "\"chunkDigest\":" D(
			       1)) "," CHUNK("a",
					     "\"offset\":120,\"chunkOffset\":3,\"chunkSize\":5,"
					     "\"chunkDigest\":" D(
						     2)) "," REG("b",
								 "\"size\":1,\"offset\":200,\"digest\":" D(
									 3))),
	       "d / I\nf a\nf b\n"
	       "@100+20 skip 0 -> 0+3 1\n@120+40 skip 0 -> 3+5 2\n@200+1025 skip 0 -> 8+1 3\n",
	       "an end that is said");
	expect(TABLE(REG("a", "\"size\":100000,\"offset\":99990,\"digest\":" D(1))),
	       "d / I\nf a\n@99990+10 skip 0 -> 0+100000 1\n", "the end of all");
}

static void test_holes(void)
{
	static const char table[] = TABLE(REG(
		"a",
		"\"size\":10000,\"offset\":100,\"endOffset\":160,\"chunkSize\":3,"
		"\"chunkDigest\":" D(
			1)) "," CHUNK("a",
				      "\"offset\":110,\"chunkOffset\":3,\"chunkSize\":9000,"
				      "\"chunkType\":\"zeros\"") "," CHUNK("a",
									   "\"offset\":120,\"chunkOffset\":9003,\"chunkSize\":997,"
									   "\"chunkType\":\"\",\"chunkDigest\":" D(
										   2)) "," REG("z",
											       "\"size\":5000,\"offset\":300,\"chunkType\":\"zeros\""));
	struct toc_facts facts;
	uint64_t len, data;
	struct entry root, e;
	struct index *ix;
	struct plant p;

	expect(table,
	       "d / I\nf a S\nf z S\n@100+10 skip 0 -> 0+3 1\n@120+40 skip 0 -> 3+997 2\n",
	       "zeros");
	plant_must(read_pieces(table, 1000, true, &p, &facts, NULL), "the table");
	ix = plant_open(&p);
	plant_must(index_entry(ix, 0, &root), "the root");
	plant_must(index_find(ix, &root, "a", 1, &e), "a");
	len = 100000;
	ok(index_extent(ix, &e, 1, &len, &data) == 0 && data == 1 && len == 2,
	   "data before");
	len = 100000;
	ok(index_extent(ix, &e, 3, &len, &data) == 0 && data == UINT64_MAX && len == 9000,
	   "a hole");
	len = 100000;
	ok(index_extent(ix, &e, 9005, &len, &data) == 0 && data == 5 && len == 995,
	   "data behind");
	plant_must(index_find(ix, &root, "z", 1, &e), "z");
	len = 100000;
	ok(index_extent(ix, &e, 0, &len, &data) == 0 && data == UINT64_MAX && len == 5000,
	   "nothing but a hole");
	is_int(facts.decoded_size, 1000, "holes are not counted");
	index_close(ix);
}

static void test_landmarks(void)
{
	static const char table[] = TABLE(
		REG("a", "\"size\":5,\"offset\":100,\"digest\":" D(1)) "," REG(
			".prefetch.landmark",
			"\"size\":1,\"offset\":150,\"digest\":" D(
				2)) "," REG("d/.prefetch.landmark",
					    "\"size\":1,\"offset\":170,\"digest\":" D(
						    3)) "," REG("./.no.prefetch.landmark",
								"\"size\":1,\"offset\":180,\"digest\":" D(
									4)));
	struct toc_facts facts;
	struct plant p;

	expect(table,
	       "d / I\nf a\nd d I\nf d/.prefetch.landmark\n"
	       "@100+70 skip 0 -> 0+5 1\n@170+1025 skip 0 -> 5+1 3\n",
	       "landmarks are hidden");
	plant_must(read_pieces(table, 1000, true, &p, &facts, NULL), "the table");
	is_int(facts.prefetch, 5, "and one is heeded");
	tree_free(p.tree);
	close(p.fd);
	plant_must(read_pieces(table, 1000, false, &p, &facts, NULL), "the table");
	is_int(facts.prefetch, 0, "but where they are files");
	is_int(facts.decoded_size, 8, "all have content");
	tree_free(p.tree);
	close(p.fd);
}

static void test_metadata(void)
{
	static const char table[] = TABLE(REG(
		"a",
		"\"size\":5,\"offset\":100,\"digest\":" D(
			1) ",\"mode\":2541,\"uid\":70000,"
			   "\"gid\":4294967295,\"modtime\":\"2023-11-14T22:13:20.5Z\","
			   "\"xattrs\":{\"user.x\":\"\",\"user.a\":\"YQBi\",\"user.x\":\"eA==\"}"));
	struct toc_facts facts;
	struct entry root, e;
	struct index *ix;
	struct xattr x;
	struct plant p;
	uint64_t pos;

	plant_must(read_pieces(table, 5, true, &p, &facts, NULL), "the table");
	ix = plant_open(&p);
	plant_must(index_entry(ix, 0, &root), "the root");
	plant_must(index_find(ix, &root, "a", 1, &e), "a");
	ok(e.mode == (S_IFREG | 04755) && e.uid == 70000 && e.gid == UINT32_MAX,
	   "mode and owner");
	ok(e.mtime == 1700000000 && e.mtime_ns == 500000000 && e.size == 5,
	   "time and size");
	ok(e.digest && e.digest[31] == 1, "the digest");
	pos = e.xattrs;
	ok(pos && index_xattr(ix, &pos, &x) == 0 && x.name_len == 6 &&
		   memcmp(x.name, "user.x", 6) == 0 && x.value_len == 1 &&
		   memcmp(x.value, "x", 1) == 0,
	   "the later of two xattrs");
	ok(pos && index_xattr(ix, &pos, &x) == 0 && x.value_len == 3 &&
		   memcmp(x.value, "a\0b", 3) == 0 && pos == 0,
	   "any bytes");
	index_close(ix);
}

static void test_refused(void)
{
	static const struct {
		const char *what, *table;
		int code;
	} rows[] = {
		{"no JSON", "x", -EBADMSG},
		{"cut short", "{\"version\":1,\"entries\":[", -EBADMSG},
		{"no object", "[]", -EBADMSG},
		{"no version", "{\"entries\":[]}", -ENOTSUP},
		{"version 2", "{\"version\":2,\"entries\":[]}", -ENOTSUP},
		{"no entries", "{\"version\":1}", -ENOTSUP},
		{"entries that are no list", "{\"version\":1,\"entries\":{}}", -EBADMSG},
		{"two lists", "{\"version\":1,\"entries\":[],\"entries\":[]}", -EBADMSG},
		{"entries that are none", TABLE("1"), -EBADMSG},
		{"lists in the list", TABLE("[]"), -EBADMSG},
		{"more behind it", TABLE("") "x", -EBADMSG},
		{"no type", TABLE("{\"name\":\"a\"}"), -EBADMSG},
		{"an unknown type", TABLE("{\"name\":\"a\",\"type\":\"door\"}"),
		 -ENOTSUP},
		{"a name that is a number", TABLE("{\"name\":1,\"type\":\"dir\"}"),
		 -EBADMSG},
		{"a NUL in a name", TABLE("{\"name\":\"a\\u0000\",\"type\":\"dir\"}"),
		 -EBADMSG},
		{"lost bytes", TABLE("{\"name\":\"\\ufffd\",\"type\":\"dir\"}"),
		 -ENOTSUP},
		{"a negative size", TABLE(REG("a", "\"size\":-1")), -EBADMSG},
		{"a broken size", TABLE(REG("a", "\"size\":1.5")), -EBADMSG},
		{"a size that is an object", TABLE(REG("a", "\"size\":{}")), -EBADMSG},
		{"a uid above 32 bits", TABLE(REG("a", "\"uid\":4294967296")), -EBADMSG},
		{"no time", TABLE(REG("a", "\"modtime\":\"now\"")), -EBADMSG},
		{"no digest", TABLE(REG("a", "\"size\":1,\"offset\":1")), -EBADMSG},
		{"a short digest", TABLE(REG("a", "\"digest\":\"sha256:00\"")), -EBADMSG},
		{"xattrs in a list", TABLE(REG("a", "\"xattrs\":[]")), -EBADMSG},
		{"xattrs in xattrs", TABLE(REG("a", "\"xattrs\":{\"x\":{}}")), -EBADMSG},
		{"no base64", TABLE(REG("a", "\"xattrs\":{\"x\":\"!\"}")), -EBADMSG},
		{"a chunk of nothing", TABLE(CHUNK("a", "\"offset\":1")), -EBADMSG},
		{"a chunk of another file",
		 TABLE(REG("a", "\"size\":1,\"offset\":1,\"digest\":" D(1)) "," CHUNK(
			 "b", "\"offset\":2")),
		 -EBADMSG},
		{"a gap",
		 TABLE(REG(
			 "a",
			 "\"size\":9,\"offset\":1,\"chunkSize\":3,\"chunkDigest\":" D(
				 1)) "," CHUNK("a",
					       "\"offset\":2,\"chunkOffset\":4,\"chunkDigest\":" D(
						       1))),
		 -EBADMSG},
		{"an overlap",
		 TABLE(REG("a",
			   "\"size\":9,\"offset\":1,\"chunkSize\":3,"
			   "\"chunkDigest\":" D(
				   1)) "," CHUNK("a",
						 "\"offset\":2,"
						 "\"chunkOffset\":2,\"chunkDigest\":" D(
							 1))),
		 -EBADMSG},
		{"too little",
		 TABLE(REG("a", "\"size\":9,\"offset\":1,\"chunkSize\":3,"
				"\"chunkDigest\":" D(1))),
		 -EBADMSG},
		{"too much",
		 TABLE(REG("a", "\"size\":9,\"offset\":1,\"chunkSize\":10,"
				"\"chunkDigest\":" D(1))),
		 -EBADMSG},
		{"sizes that wrap",
		 TABLE(REG(
			 "a",
			 "\"size\":9,\"offset\":1,\"chunkSize\":5,"
			 "\"chunkDigest\":" D(
				 1)) "," CHUNK("a",
					       "\"offset\":2,"
					       "\"chunkOffset\":5,\"chunkSize\":9223372036854775807,"
					       "\"chunkDigest\":" D(1))),
		 -EBADMSG},
		{"two digests",
		 TABLE(REG("a", "\"size\":9,\"offset\":1,\"digest\":" D(
					1) ",\"chunkDigest\":" D(2))),
		 -EBADMSG},
		{"behind the end",
		 TABLE(REG("a", "\"size\":9,\"offset\":100000,\"digest\":" D(1))),
		 -EBADMSG},
		{"too long for memory",
		 TABLE(REG("a", "\"size\":2000000000,\"offset\":1,\"digest\":" D(1))),
		 -EBADMSG},
		{"not in order",
		 TABLE(REG("a", "\"size\":9,\"offset\":2,\"digest\":" D(1)) "," REG(
			 "b", "\"size\":9,\"offset\":1,\"digest\":" D(1))),
		 -ENOTSUP},
		{"not in order in a member",
		 TABLE(REG(
			 "a",
			 "\"size\":9,\"offset\":2,\"innerOffset\":5,"
			 "\"digest\":" D(
				 1)) "," REG("b",
					     "\"size\":9,\"offset\":2,\"digest\":" D(1))),
		 -ENOTSUP},
	};
	struct toc_facts facts;
	struct plant p;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {""};
		int rc = read_pieces(rows[i].table, 9, true, &p, &facts, &e);

		is_int(rc, rows[i].code, "%s is refused", rows[i].what);
		ok(e.text[0], "and said why: %s", e.text);
	}
}

int main(void)
{
	test_types();
	test_pieces();
	test_holes();
	test_landmarks();
	test_metadata();
	test_refused();
	return test_done();
}
