/* SPDX-License-Identifier: MIT */
/* What the rows of an index have: attributes, digests, extents, spans, the order of many. */
#include "tar/index/flat.h"

#include "tar/codec/span.h"
#include "tar/index/tree.h"
#include "tests/unit/plant.h"
#include "tests/unit/test.h"

static void test_attributes(void)
{
	static const struct tar_xattr one[] = {{"user.a", "1", 1}, {"user.b", "", 0}};
	static const struct tar_xattr two[] = {{"security.capability", "\0\1\0", 3}};
	struct tar_entry d = {.path = "d",
			      .path_len = 1,
			      .mode = S_IFDIR | 01777,
			      .gid = 7,
			      .mtime = -5,
			      .mtime_ns = 999999999,
			      .xattrs = one,
			      .n_xattrs = 2};
	struct tar_entry f = {.path = "f",
			      .path_len = 1,
			      .mode = S_IFREG | 06755,
			      .gid = 4294967294,
			      .mtime = INT64_MAX,
			      .size = 1ull << 39,
			      .data = 512,
			      .stored = 1ull << 39,
			      .xattrs = one,
			      .n_xattrs = 2};
	struct tar_entry g = {.path = "g",
			      .path_len = 1,
			      .mode = S_IFBLK,
			      .rdev_major = 4095,
			      .rdev_minor = (1 << 20) - 1,
			      .xattrs = two,
			      .n_xattrs = 1};
	struct entry root, e;
	struct xattr x;
	struct index *ix;
	struct plant p;
	uint64_t pos, list;

	plant_begin(&p);
	plant_must(plant_add(&p, &d) | plant_add(&p, &f) | plant_add(&p, &g), "entries");
	plant_line(&p, "f plain");
	ix = plant_open(&p);
	ok(index_info(ix)->has_xattrs, "there are xattrs");
	is_int(index_info(ix)->content_size, 1ull << 39, "and so much content");
	index_entry(ix, 0, &root);
	is_int(index_find(ix, &root, "d", 1, &e), 0, "d");
	ok(e.mode == (S_IFDIR | 01777) && e.gid == 7 && e.mtime == -5 &&
		   e.mtime_ns == 999999999,
	   "keeps all");
	list = pos = e.xattrs;
	is_int(index_xattr(ix, &pos, &x), 0, "has an xattr");
	ok(x.name_len == 6 && memcmp(x.name, "user.a", 6) == 0 && x.value_len == 1 &&
		   memcmp(x.value, "1", 1) == 0 && pos != 0,
	   "the first");
	is_int(index_xattr(ix, &pos, &x), 0, "and another");
	ok(x.name_len == 6 && memcmp(x.name, "user.b", 6) == 0 && x.value_len == 0 &&
		   pos == 0,
	   "empty, the last");
	is_int(index_find(ix, &root, "f", 1, &e), 0, "f");
	ok(e.mode == (S_IFREG | 06755) && e.gid == 4294967294 && e.mtime == INT64_MAX &&
		   e.size == 1ull << 39 && e.data == 512,
	   "keeps all");
	is_int(e.xattrs, list, "neighbours share a list");
	is_int(index_find(ix, &root, "g", 1, &e), 0, "g");
	ok(e.mode == S_IFBLK && e.rdev_major == 4095 && e.rdev_minor == (1 << 20) - 1,
	   "keeps all");
	pos = e.xattrs;
	ok(e.xattrs != list && index_xattr(ix, &pos, &x) == 0 && pos == 0 &&
		   x.value_len == 3 && memcmp(x.value, "\0\1\0", 3) == 0,
	   "has a list of its own");
	is_int(index_find(ix, &root, "plain", 5, &e), 0, "plain");
	ok(e.xattrs == 0 && !e.digest, "has nothing");
	index_close(ix);

	plant_begin(&p); /* repeated: the earlier attributes are gone */
	plant_must(plant_add(&p, &d), "d");
	plant_line(&p, "d d");
	ix = plant_open(&p);
	index_entry(ix, 1, &e);
	ok(e.xattrs == 0 && e.mode == (S_IFDIR | 0755) && e.mtime == 0 && e.gid == 0,
	   "a directory told again has what was said last");
	ok(!index_info(ix)->has_xattrs, "and no xattrs are left");
	index_close(ix);
}

static void test_digests(void)
{
	uint8_t sums[3][32];
	struct entry root, e;
	struct tar_entry t;
	struct index *ix;
	struct plant p;
	uint32_t file;
	int i;

	plant_begin(&p);
	for (i = 0; i < 3; i++) {
		static const char *const names[] = {"b", "a", "b"};

		memset(sums[i], 0x11 * (i + 1), 32);
		t = plant_file(names[i], 1);
		t.size = t.stored = 10;
		plant_must(tree_add(p.tree, &t, &file, NULL), "a file");
		ok(file != TREE_NO_FILE, "a file has a number");
		tree_set_digest(p.tree, file, sums[i]);
	}
	t = (struct tar_entry){.path = "h",
			       .path_len = 1,
			       .link = "a",
			       .link_len = 1,
			       .is_hardlink = true};
	plant_must(tree_add(p.tree, &t, &file, NULL), "a hard link");
	ok(file == TREE_NO_FILE, "a hard link has none");
	ix = plant_open(&p);
	index_entry(ix, 0, &root);
	ok(index_find(ix, &root, "a", 1, &e) == 0 && e.digest &&
		   memcmp(e.digest, sums[1], 32) == 0,
	   "its own digest");
	ok(index_find(ix, &root, "b", 1, &e) == 0 && e.digest &&
		   memcmp(e.digest, sums[2], 32) == 0,
	   "the later one's");
	ok(index_find(ix, &root, "h", 1, &e) == 0 && index_entry(ix, e.inode, &e) == 0 &&
		   e.digest && memcmp(e.digest, sums[1], 32) == 0,
	   "the target's");
	index_close(ix);
}

static void test_sparse(void)
{
	static const struct extent runs[] = {{100, 50}, {200, 0}, {300, 100}, {1000, 0}};
	static const struct {
		uint64_t off, len, run, data;
	} rows[] = {
		{0, 1000, 100, UINT64_MAX}, {99, 5, 1, UINT64_MAX},
		{100, 1000, 50, 5000},	    {120, 10, 10, 5020},
		{149, 10, 1, 5049},	    {150, 1000, 150, UINT64_MAX},
		{300, 1000, 100, 5050},	    {399, 1, 1, 5149},
		{400, 10, 10, UINT64_MAX},  {400, 100000, 600, UINT64_MAX},
		{999, 100, 1, UINT64_MAX},
	};
	struct tar_entry t = {.path = "s",
			      .path_len = 1,
			      .mode = S_IFREG | 0644,
			      .size = 1000,
			      .stored = 150,
			      .data = 5000,
			      .is_sparse = true,
			      .extents = runs,
			      .n_extents = 4};
	struct tar_entry hole = {.path = "hole",
				 .path_len = 4,
				 .mode = S_IFREG | 0644,
				 .size = 1ull << 50,
				 .data = 9000,
				 .is_sparse = true};
	struct entry root, e;
	struct index *ix;
	struct plant p;
	uint64_t stored;
	size_t i;

	plant_begin(&p);
	plant_must(plant_add(&p, &t) | plant_add(&p, &hole), "sparse files");
	plant_line(&p, "f whole 700");
	ix = plant_open(&p);
	ok(index_info(ix)->has_sparse, "it says that some are sparse");
	index_entry(ix, 0, &root);
	is_int(index_find(ix, &root, "s", 1, &e), 0, "s");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t len = rows[i].len, data = 0;

		plant_must(index_extent(ix, &e, rows[i].off, &len, &data), "an extent");
		ok(len == rows[i].run && data == rows[i].data, "from %llu: %llu at %lld",
		   (unsigned long long)rows[i].off, (unsigned long long)len,
		   (long long)data);
	}
	ok(index_stored(ix, &e, &stored) == 0 && stored == 150, "stored");
	is_int(index_find(ix, &root, "hole", 4, &e), 0, "hole");
	for (i = 0; i < 50; i += 7) {
		uint64_t len = UINT64_MAX, data = 0;

		ok(index_extent(ix, &e, 1ull << i, &len, &data) == 0 &&
			   len == (1ull << 50) - (1ull << i) && data == UINT64_MAX,
		   "all hole");
	}
	ok(index_stored(ix, &e, &stored) == 0 && stored == 0, "nothing stored");
	is_int(index_find(ix, &root, "whole", 5, &e), 0, "whole");
	{
		uint64_t len = 1000, data = 0;

		ok(index_extent(ix, &e, 100, &len, &data) == 0 && len == 600 &&
			   data == e.data + 100,
		   "one run");
	}
	ok(index_stored(ix, &e, &stored) == 0 && stored == 700, "all stored");
	index_close(ix);
}

static void test_spans(void)
{
	struct span sp = {.kind = SPAN_DEFLATE,
			  .bits = 3,
			  .in = 100,
			  .in_len = 1000,
			  .out = 0,
			  .out_len = 5000,
			  .window = "window",
			  .window_len = 6,
			  .has_crc = true,
			  .crc = 0xdeadbeef,
			  .digest = {9, 8, 7}};
	static const struct {
		uint64_t off;
		uint32_t span;
	} rows[] = {{0, 0}, {4999, 0}, {5000, 1}, {5001, 1}, {10000, 2}, {14999, 2}};
	struct index *ix;
	struct span got;
	struct plant p;
	uint32_t i, n;

	plant_begin(&p);
	for (i = 0; i < 3; i++) {
		plant_must(tree_add_span(p.tree, &sp), "a span");
		sp.in += 1000;
		sp.out += 5000;
		sp.window = "other";
		sp.window_len = i ? 5 : 0;
	}
	ix = plant_open(&p);
	is_int(index_info(ix)->n_spans, 3, "three spans");
	ok(index_span(ix, 0, &got) == 0 && got.kind == SPAN_DEFLATE && got.bits == 3 &&
		   got.in == 100 && got.in_len == 1000 && got.out == 0 &&
		   got.out_len == 5000 && got.window_len == 6 &&
		   memcmp(got.window, "window", 6) == 0 && got.has_crc &&
		   got.crc == 0xdeadbeef && memcmp(got.digest, sp.digest, 32) == 0,
	   "all of the first");
	ok(index_span(ix, 1, &got) == 0 && got.window_len == 0, "one without a window");
	ok(index_span(ix, 2, &got) == 0 && got.window_len == 5 &&
		   memcmp(got.window, "other", 5) == 0,
	   "one with another");
	is_int(index_span(ix, 3, &got), -ENOENT, "and no more");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ok(index_span_at(ix, rows[i].off, &n) == 0 && n == rows[i].span,
		   "the span at %llu", (unsigned long long)rows[i].off);
	index_close(ix);

	plant_begin(&p);
	ix = plant_open(&p);
	is_int(index_info(ix)->n_spans, 0, "no spans");
	is_int(index_span_at(ix, 0, &n), -EBADMSG, "nothing is in one");
	index_close(ix);
}

#define MANY 100000

static void many_path(unsigned i, char *path, size_t size)
{
	snprintf(path, size, "d%u/e%u/f%u", i % 37, i / 37 % 53, i);
}

static struct index *plant_many(const unsigned *order)
{
	struct tar_entry t;
	struct plant p;
	char path[64];
	unsigned i;

	plant_begin(&p);
	for (i = 0; i < MANY; i++) {
		many_path(order[i], path, sizeof(path));
		t = plant_file(path, strlen(path));
		t.size = t.stored = t.data = order[i];
		p.uid = order[i];
		plant_must(plant_add(&p, &t), "a file");
	}
	return plant_open(&p);
}

static bool same(const struct index *a, const struct index *b)
{
	struct entry x, y;
	uint32_t i;

	if (index_info(a)->n_entries != index_info(b)->n_entries)
		return false;
	for (i = 0; i < index_info(a)->n_entries; i++) {
		if (index_entry(a, i, &x) < 0 || index_entry(b, i, &y) < 0)
			return false;
		if (x.name_len != y.name_len || memcmp(x.name, y.name, x.name_len))
			return false;
		if (x.parent != y.parent || x.size != y.size || x.data != y.data ||
		    x.first_child != y.first_child || x.uid != y.uid ||
		    x.mode != y.mode || x.nlink != y.nlink)
			return false;
	}
	return true;
}

static unsigned find_many(const struct index *ix)
{
	unsigned i, found = 0;
	struct entry e;
	char path[64];

	for (i = 0; i < MANY; i++) {
		char *part = path, *slash;
		int rc = index_entry(ix, 0, &e);

		many_path(i, path, sizeof(path));
		for (; rc == 0; part = slash + 1) {
			slash = strchr(part, '/');
			rc = index_find(ix, &e, part,
					slash ? (size_t)(slash - part) : strlen(part),
					&e);
			if (!slash)
				break;
		}
		found += rc == 0 && e.data == i;
	}
	return found;
}

static void test_many(void)
{
	unsigned *order = malloc(MANY * sizeof(*order)), i;
	struct index *sorted, *mixed;
	uint64_t seed = 42;

	plant_must(order ? 0 : -ENOMEM, "an order");
	for (i = 0; i < MANY; i++)
		order[i] = i;
	sorted = plant_many(order);
	for (i = MANY; i > 1; i--) {
		unsigned j, t;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		j = (unsigned)((seed >> 33) % i);
		t = order[j];
		order[j] = order[i - 1];
		order[i - 1] = t;
	}
	mixed = plant_many(order);
	is_int(index_info(sorted)->n_entries, 1 + 37 + 37 * 53 + MANY,
	       "all entries are there");
	ok(same(sorted, mixed), "in any order they are the same");
	is_int(find_many(sorted), MANY, "each is found");
	is_int(find_many(mixed), MANY, "in any order");
	ok(index_verify(mixed) == 0, "and the checksums are right");
	index_close(sorted);
	index_close(mixed);
	free(order);
}

/* All entries that are left out are counted; some are named. */
static void test_skipped(void)
{
	const char *text;
	struct index *ix;
	struct plant p;
	size_t len;
	int i;

	plant_begin(&p);
	plant_line(&p, "d d");
	for (i = 0; i < 5000; i++)
		plant_line(&p, "h na\nme\x1b[31m d");
	ix = plant_open(&p);
	is_int(index_info(ix)->n_skipped, 5000, "counted");
	plant_must(index_skipped(ix, &text, &len), "what is skipped");
	ok(len > 1000 && len <= 16384, "named: %zu bytes", len);
	ok(!memchr(text, '\x1b', len) && text[len - 1] == '\n',
	   "in lines a terminal can show");
	ok(len > 20 && memcmp(text, "na?me?[31m: a hard link to a directory\n", 20) == 0,
	   "of the names");
	index_close(ix);
}

int main(void)
{
	test_attributes();
	test_digests();
	test_sparse();
	test_spans();
	test_many();
	test_skipped();
	return test_done();
}
