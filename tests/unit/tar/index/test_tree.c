/* SPDX-License-Identifier: MIT */
#include "tar/codec/span.h"
#include "tar/index/tree.h"

#include "tests/unit/plant.h"
#include "tests/unit/test.h"

/*
 * Each: what it is about, the entries, and the tree, by the rules of tree.h.
 */
static const struct {
	const char *what, *entries, *tree;
} cases[] = {
	/* Names */
	{"nothing", "", "d / I\n"},
	{"a root", "d ./", "d / #1\n"},
	{"a root told twice", "d ./\nd /", "d / #2\n"},
	{"a root that is no directory", "f .\nl / x\nh . a\nf a",
	 "d / I\nf a #4\nskipped 3\n"},
	{"names are cleaned", "f ./a\nf /b\nf //c//d\nf e/./f\nd ./g/\nf h/i/../../j",
	 "d / I\nf a #1\nf b #2\nd c I\nf c/d #3\nd e I\nf e/f #4\nd g #5\nf j #6\n"},
	{"nothing is above the root", "f ../a\nf ../../../b\nf c/../../d",
	 "d / I\nf a #1\nf b #2\nf d #3\n"},
	{"dots that mean nothing", "f ...\nf .a\nf a.\nf ..b\nf c..",
	 "d / I\nf ... #1\nf ..b #4\nf .a #2\nf a. #3\nf c.. #5\n"},
	{"in order of bytes", "f b\nf a-b\nf a\nf a/x\nf B\nf \xff\nf ab",
	 "d / I\nf B #5\nd a I\nf a/x #4\nf a-b #2\nf ab #7\nf b #1\nf \xff #6\n"},

	/* Types */
	{"each type", "d d\nf f 5\nl l to\nc c 1:3\nb b 8:0\np p",
	 "d / I\nb b #5\nc c #4\nd d #1\nf f #2\nl l #3 -> to\np p #6\n"},
	{"symlinks that cannot be", "l a ", "d / I\nskipped 1\n"},

	/* Parents */
	{"missing parents", "f a/b/c", "d / I\nd a I\nd a/b I\nf a/b/c #1\n"},
	{"a parent told later", "f a/b/c\nd a/b\nd a",
	 "d / I\nd a #3\nd a/b #2\nf a/b/c #1\n"},
	{"a parent that is a file", "f a\nf a/b", "d / I\nd a I\nf a/b #2\n"},
	{"a parent that was a file, with links", "f a\nh b a\nf a/c",
	 "d / I\nd a I\nf a/c #3\nf b #1\n"},
	{"a parent that is a symlink", "d r\nl s r\nf s/x",
	 "d / I\nd r #1\nf r/x #3\nl s #2 -> r\n"},
	{"an absolute one", "d r\nd a\nl a/s /r\nf a/s/x",
	 "d / I\nd a #2\nl a/s #3 -> /r\nd r #1\nf r/x #4\n"},
	{"a relative one", "d r\nd a\nl a/s ../r\nf a/s/x",
	 "d / I\nd a #2\nl a/s #3 -> ../r\nd r #1\nf r/x #4\n"},
	{"one that would leave the root", "d r\nl s ../../r\nf s/x",
	 "d / I\nd r #1\nf r/x #3\nl s #2 -> ../../r\n"},
	{"one to the root", "l s /\nl t .\nl u ..\nf s/x\nf t/y\nf u/z",
	 "d / I\nl s #1 -> /\nl t #2 -> .\nl u #3 -> ..\nf x #4\nf y #5\nf z #6\n"},
	{"one through others", "d r/q\nl s r\nl t s/./q//\nf t/x",
	 "d / I\nd r I\nd r/q #1\nf r/q/x #4\nl s #2 -> r\nl t #3 -> s/./q//\n"},
	{"`..` behind a symlink is of its target", "d r/q\nl s r/q\nl t s/../x\nf t/y",
	 "d / I\nd r I\nd r/q #1\nd r/x I\nf r/x/y #4\nl s #2 -> r/q\nl t #3 -> s/../x\n"},
	{"one that leads nowhere", "l s a/b\nf s/x",
	 "d / I\nd a I\nd a/b I\nf a/b/x #2\nl s #1 -> a/b\n"},
	{"one to a file", "f a\nl s a\nf s/x", "d / I\nd a I\nf a/x #3\nl s #2 -> a\n"},
	{"one in a circle", "l a b\nl b a\nl c c\nf a/x\nf c/x\nf d",
	 "d / I\nl a #1 -> b\nl b #2 -> a\nl c #3 -> c\nf d #6\nskipped 2\n"},
	{"one that has another name", "d r\nl s r\nh t s\nf t/x",
	 "d / I\nd r #1\nf r/x #4\nl s #2 x2 -> r\nl t #2 x2 -> r\n"},
	{"a last part is not followed", "d r\nl s r\nf s\nl t r\nd t\nf t/x",
	 "d / I\nd r #1\nf s #3\nd t #5\nf t/x #6\n"},
	{"a symlink that changes", "d a\nd b\nl s a\nf s/1\nl s b\nf s/2\nf s/3",
	 "d / I\nd a #1\nf a/1 #4\nd b #2\nf b/2 #6\nf b/3 #7\nl s #5 -> b\n"},
	{"a directory above that changes", "d p/q\nf p/q/1\nl p r\nf p/q/2",
	 "d / I\nl p #3 -> r\nd r I\nd r/q I\nf r/q/2 #4\n"},
	{"a directory that was a file for a while", "d p\nf p/1\nf p\nf p/2",
	 "d / I\nd p I\nf p/2 #4\n"},

	/* Replacing */
	{"a file by a file", "f a\nf a", "d / I\nf a #2\n"},
	{"a directory by a directory", "d a\nf a/x\nd a", "d / I\nd a #3\nf a/x #2\n"},
	{"a directory by a file", "d a\nf a/x\nd a/y\nf a/y/z\nf a", "d / I\nf a #5\n"},
	{"a file by a directory", "f a\nd a\nf a/x", "d / I\nd a #2\nf a/x #3\n"},
	{"a directory by a symlink and back", "d a\nf a/x\nl a b\nd a\nf a/y",
	 "d / I\nd a #4\nf a/y #5\n"},
	{"what has links stays as their inode", "f a\nh b a\nf a",
	 "d / I\nf a #3\nf b #1\n"},
	{"of several", "f a\nh b a\nh c a\nl a x",
	 "d / I\nl a #4 -> x\nf b #1 x2\nf c #1 x2\n"},
	{"below a directory that goes", "d d\nf d/x\nh y d/x\nf d",
	 "d / I\nf d #4\nf y #2\n"},
	{"a link goes, its target stays", "f a\nh b a\nf b", "d / I\nf a #1\nf b #3\n"},
	{"a link to what it replaces", "f d/x\nh d d/x", "d / I\nf d #1\n"},
	{"a link back to its first name", "f a\nh b a\nh a b",
	 "d / I\nf a #1 x2\nf b #1 x2\n"},

	/* Hard links */
	{"a chain", "f a\nh b a\nh c b", "d / I\nf a #1 x3\nf b #1 x3\nf c #1 x3\n"},
	{"before its target", "h b a\nf a", "d / I\nf a #2 x2\nf b #2 x2\n"},
	{"a chain before its target", "h c b\nh b a\nf a",
	 "d / I\nf a #3 x3\nf b #3 x3\nf c #3 x3\n"},
	{"before its target, and replaced", "h b a\nf b\nf a", "d / I\nf a #3\nf b #2\n"},
	{"to what is replaced later", "f a\nh b a\nf a\nh c a",
	 "d / I\nf a #3 x2\nf b #1\nf c #3 x2\n"},
	{"names of targets are cleaned", "f a\nh b ./a\nh c /x/../a\nh d ../a",
	 "d / I\nf a #1 x4\nf b #1 x4\nf c #1 x4\nf d #1 x4\n"},
	{"a symlink's other name", "l s t\nh b s",
	 "d / I\nl b #1 x2 -> t\nl s #1 x2 -> t\n"},
	{"a device's", "c a 1:3\nh b a", "d / I\nc a #1 x2\nc b #1 x2\n"},
	{"through a symlinked parent", "d r\nf r/x\nl s r\nh b s/x",
	 "d / I\nf b #2 x2\nd r #1\nf r/x #2 x2\nl s #3 -> r\n"},
	{"below a symlinked parent", "d r\nf x\nl s r\nh s/b x",
	 "d / I\nd r #1\nf r/b #2 x2\nl s #3 -> r\nf x #2 x2\n"},
	{"to a directory", "d a\nh b a\nh c /", "d / I\nd a #1\nskipped 2\n"},
	{"to a directory that comes", "h c b\nh b a\nd a", "d / I\nd a #3\nskipped 2\n"},
	{"to itself", "f a\nh a a\nh a ./a", "d / I\nf a #1\n"},
	{"to itself, through a symlink", "d r\nf r/a\nl s r\nh s/a r/a",
	 "d / I\nd r #1\nf r/a #2\nl s #3 -> r\n"},
	{"to itself, which is not there", "h a a", "d / I\nskipped 1\n"},
	{"in a circle", "h a b\nh b c\nh c a\nf d", "d / I\nf d #4\nskipped 3\n"},
	{"into a circle", "h x a\nh a b\nh b a", "d / I\nskipped 3\n"},
	{"a circle that is broken", "h a b\nh b a\nf b", "d / I\nf a #3 x2\nf b #3 x2\n"},
	{"to what a lower layer has", "h b nope/x", "d / I\n? b -> nope/x\n"},
	{"cleaned too", "h b .//nope/../y/z/", "d / I\n? b -> y/z\n"},
	{"by others", "h b nope\nh c b\nh d c",
	 "d / I\n? b -> nope\n? c -> nope\n? d -> nope\n"},
	{"to a lower layer's, replaced", "h b nope\nf b/x\nh c nope\nl c x",
	 "d / I\nd b I\nf b/x #2\nl c #4 -> x\n"},

	/* Whiteouts */
	{"a whiteout", "d a\nf a/.wh.b\nf a/b",
	 "d / I\nd a #1 w\nf a/.wh.b #2 W\nf a/b #3\n"},
	{"in an implied directory", "f a/.wh.b", "d / I\nd a Iw\nf a/.wh.b #1 W\n"},
	{"an opaque directory", "f a/x\nf a/.wh..wh..opq\nd a",
	 "d / I\nd a #3 O\nf a/.wh..wh..opq #2 W\nf a/x #1\n"},
	{"both", "f .wh..wh..opq\nf .wh.x",
	 "d / IOw\nf .wh..wh..opq #1 W\nf .wh.x #2 W\n"},
	{"gone with its directory", "d a\nf a/.wh..wh..opq\nf a\nd a", "d / I\nd a #4\n"},
	{"of any type", "d .wh.a\nf .wh.a/x\nl .wh.b c",
	 "d / Iw\nd .wh.a #1 W\nf .wh.a/x #2\nl .wh.b #3 W -> c\n"},
	{"not quite one", "f .wh\nf wh.a\nf x.wh.a",
	 "d / I\nf .wh #1\nf wh.a #2\nf x.wh.a #3\n"},
	{"one of overlayfs", "c a 0:0\nc b 0:1\nb d 0:0",
	 "d / Iw\nc a #1 W\nc b #2\nb d #3\n"},
	{"shared by names", "d x\nc x/a 0:0\nh b x/a\nh late z\nc z 0:0",
	 "d / Iw\nc b #2 x2 W\nc late #5 x2 W\nd x #1 w\nc x/a #2 x2 W\nc z #5 x2 W\n"},
	{"that becomes a file", "c a 0:0\nf a", "d / I\nf a #2\n"},
	{"other names of a marker are none", "f .wh.a\nh b .wh.a",
	 "d / Iw\nf .wh.a #1 x2 W\nf b #1 x2\n"},
	{"a marker may be a link", "f a\nh .wh.b a\nh .wh.c nope",
	 "d / Iw\nf .wh.b #1 x2 W\n? .wh.c W -> nope\nf a #1 x2\n"},
};

static void show(const char *who, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		printf("# %s: %.*s\n", who, (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static bool is_tree(struct index *ix, const char *tree, const char *what)
{
	struct buf got;
	unsigned wrong = 0;
	bool good;

	buf_init(&got, 16 << 20);
	plant_must(plant_dump(ix, &got, &wrong), "the dump");
	good = ok(strcmp(buf_text(&got), tree) == 0, "%s", what);
	if (!good) {
		show("got ", buf_text(&got));
		show("want", tree);
	}
	ok(wrong == 0 && index_verify(ix) == 0, "%s: in order", what);
	buf_release(&got);
	return good;
}

static void test_cases(void)
{
	struct index *ix;
	struct plant p;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		plant_begin(&p);
		plant_lines(&p, cases[i].entries);
		ix = plant_open(&p);
		is_tree(ix, cases[i].tree, cases[i].what);
		index_close(ix);
	}
}

/* Chains as long as they may be, and one more. */
static void test_chains(void)
{
	struct index *ix;
	struct plant p;
	struct entry root, e;
	char line[64];
	int i;

	plant_begin(&p);
	plant_line(&p, "d s40");
	for (i = 0; i < 40; i++) {
		snprintf(line, sizeof(line), "l s%d s%d", i, i + 1);
		plant_line(&p, line);
	}
	plant_line(&p, "f s0/forty");
	plant_line(&p, "l t s0");
	plant_line(&p, "f t/more");
	ix = plant_open(&p);
	is_int(index_info(ix)->n_skipped, 1, "41 symlinks are too many");
	index_entry(ix, 0, &root);
	ok(index_find(ix, &root, "s40", 3, &e) == 0 &&
		   index_find(ix, &e, "forty", 5, &e) == 0,
	   "40 are not");
	index_close(ix);

	plant_begin(&p);
	for (i = 0; i < 39; i++) {
		snprintf(line, sizeof(line), "h h%d h%d", i, i + 1);
		plant_line(&p, line);
	}
	plant_line(&p, "f h39");
	ix = plant_open(&p);
	is_int(index_info(ix)->n_skipped, 0, "a long chain of hard links");
	index_entry(ix, 0, &root);
	ok(index_find(ix, &root, "h0", 2, &e) == 0 && index_entry(ix, e.inode, &e) == 0 &&
		   e.nlink == 40,
	   "is one inode");
	index_close(ix);

	/* A symlink that grows the way to walk without an end. */
	plant_begin(&p);
	plant_line(&p, "l a a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p");
	plant_line(&p, "f a/x");
	ix = plant_open(&p);
	is_tree(ix, "d / I\nl a #1 -> a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p\nskipped 1\n",
		"a symlink that grows");
	index_close(ix);
}

/* A path of @len bytes of parts of @part bytes. */
static char *long_path(size_t len, size_t part)
{
	char *path = malloc(len + 1);
	size_t i;

	plant_must(path ? 0 : -ENOMEM, "a path");
	for (i = 0; i < len; i++)
		path[i] = (i + 1) % (part + 1) ? 'a' : '/';
	path[len] = '\0';
	return path;
}

static void test_lengths(void)
{
	static const struct {
		size_t len, part;
		uint32_t entries, skipped;
	} rows[] = {
		{255, 1000, 2, 0}, {256, 1000, 1, 1},  {511, 255, 3, 0},
		{512, 255, 3, 0},  {513, 256, 1, 1},   {4095, 255, 17, 0},
		{4096, 255, 1, 1}, {4095, 1, 2049, 0}, {20000, 100, 1, 1},
	};
	struct tar_entry e;
	struct index *ix;
	struct plant p;
	const char *text;
	char *path;
	size_t i, len;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		path = long_path(rows[i].len, rows[i].part);
		plant_begin(&p);
		e = plant_file(path, rows[i].len);
		plant_must(plant_add(&p, &e), "a file");
		ix = plant_open(&p);
		is_int(index_info(ix)->n_entries, rows[i].entries,
		       "path of %zu, parts of %zu", rows[i].len, rows[i].part);
		is_int(index_info(ix)->n_skipped, rows[i].skipped,
		       "what is skipped is counted");
		plant_must(index_skipped(ix, &text, &len), "what is skipped");
		ok((len > 0) == (rows[i].skipped > 0) && len < 300, "and named: %.*s",
		   len ? (int)len - 1 : 0, text);
		index_close(ix);
		free(path);
	}
}

static void test_links_of_length(void)
{
	static const struct {
		size_t len;
		bool is_hardlink;
		uint32_t entries, skipped;
	} rows[] = {
		{4095, false, 2, 0}, {4096, false, 1, 1}, {70000, false, 1, 1},
		{4095, true, 2, 0},  {4096, true, 1, 1},  {70000, true, 1, 1},
	};
	struct index *ix;
	struct entry e;
	struct plant p;
	char *link;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tar_entry t = {
			.path = "link",
			.path_len = 4,
			.mode = rows[i].is_hardlink ? 0 : S_IFLNK | 0777,
			.is_hardlink = rows[i].is_hardlink,
			.link = link = long_path(rows[i].len, 200),
			.link_len = rows[i].len,
		};

		plant_begin(&p);
		plant_must(plant_add(&p, &t), "a link");
		ix = plant_open(&p);
		is_int(index_info(ix)->n_entries, rows[i].entries, "a link of %zu",
		       rows[i].len);
		is_int(index_info(ix)->n_skipped, rows[i].skipped, "skipped");
		is_int(index_info(ix)->n_foreign,
		       rows[i].entries == 2 && rows[i].is_hardlink, "foreign");
		ok(rows[i].entries == 1 ||
			   (index_entry(ix, 1, &e) == 0 && e.link_len == rows[i].len &&
			    memcmp(e.link, link, e.link_len) == 0),
		   "whole");
		index_close(ix);
		free(link);
	}
}

/* Any byte but `/` and NUL. */
static void test_bytes(void)
{
	struct entry root, e;
	struct tar_entry t;
	struct index *ix;
	struct plant p;
	unsigned found = 0, above = 0, i;
	char name[2];

	plant_begin(&p);
	for (i = 255; i > 0; i--) {
		name[0] = name[1] = (char)i;
		t = plant_file(name, i % 2 ? 2 : 1);
		if (i != '/' && !(i == '.'))
			plant_must(plant_add(&p, &t), "a name");
	}
	ix = plant_open(&p);
	is_int(index_info(ix)->n_entries, 254, "a name of each byte");
	index_entry(ix, 0, &root);
	for (i = 1; i < 256; i++) {
		name[0] = name[1] = (char)i;
		found += index_find(ix, &root, name, i % 2 ? 2 : 1, &e) == 0 &&
			 memcmp(e.name, name, e.name_len) == 0;
		above += index_find(ix, &root, name, i % 2 ? 1 : 2, &e) == -ENOENT;
	}
	is_int(found, 253, "each is found");
	is_int(above, 255, "and nothing else");
	is_int(index_find(ix, &root, "", 0, &e), -ENOENT, "nor nothing");
	index_close(ix);
}

/* What rows hold */

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
			      .rdev_major = 4294967295,
			      .rdev_minor = 1 << 20,
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
	ok(e.mode == S_IFBLK && e.rdev_major == 4294967295 && e.rdev_minor == 1 << 20,
	   "keeps all");
	pos = e.xattrs;
	ok(e.xattrs != list && index_xattr(ix, &pos, &x) == 0 && pos == 0 &&
		   x.value_len == 3 && memcmp(x.value, "\0\1\0", 3) == 0,
	   "has a list of its own");
	is_int(index_find(ix, &root, "plain", 5, &e), 0, "plain");
	ok(e.xattrs == 0 && !e.digest, "has nothing");
	index_close(ix);

	plant_begin(&p); /* told again: what was said before is no more */
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

/* 100,000 entries in two orders give the same index, byte for byte. */

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

/* What is left out is counted without end, and named while there is room. */
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
	test_cases();
	test_chains();
	test_lengths();
	test_links_of_length();
	test_bytes();
	test_attributes();
	test_digests();
	test_sparse();
	test_spans();
	test_many();
	test_skipped();
	return test_done();
}
