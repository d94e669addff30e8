/* SPDX-License-Identifier: MIT */
#include "tar/codec/span.h"
#include "tar/index/tree.h"

#include "tests/unit/plant.h"
#include "tests/unit/test.h"

/* Each case has a title, the entries, and the tree by the rules of tree.h. */
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
	 "d / I\nf B #5\nd a I\nf a/x #4\nf a-b #2\nf ab #7\nf b #1\nf \xff #6\nskipped 1\n"},

	/* Types */
	{"each type", "d d\nf f 5\nl l to\nc c 1:3\nb b 8:0\np p",
	 "d / I\nb b #5\nc c #4\nd d #1\nf f #2\nl l #3 -> to\np p #6\n"},
	{"symlinks that cannot be", "l a ", "d / I\nskipped 1\n"},

	/* Parents */
	{"missing parents", "f a/b/c", "d / I\nd a I\nd a/b I\nf a/b/c #1\n"},
	{"a parent told later", "f a/b/c\nd a/b\nd a",
	 "d / I\nd a #3\nd a/b #2\nf a/b/c #1\n"},
	{"a parent that is a file", "f a\nf a/b", "d / I\nd a I\nf a/b #2\nskipped 1\n"},
	{"a parent that was a file, with links", "f a\nh b a\nf a/c",
	 "d / I\nd a I\nf a/c #3\nf b #1\nskipped 1\n"},
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
	{"one to a file", "f a\nl s a\nf s/x",
	 "d / I\nd a I\nf a/x #3\nl s #2 -> a\nskipped 1\n"},
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
	 "d / I\nd p I\nf p/2 #4\nskipped 1\n"},

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
	 "d / I\nd b I\nf b/x #2\nl c #4 -> x\nskipped 1\n"},

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
	 "d / Iw\nc b #2 W\nc late #5 W\nd x #1 w\nc x/a #2 W\nc z #5 W\n"},
	{"that becomes a file", "c a 0:0\nf a", "d / I\nf a #2\n"},
	{"other names of a marker are none", "f .wh.a\nh b .wh.a",
	 "d / Iw\nf .wh.a #1 W\nf b #1\n"},
	{"a marker may be a link", "f a\nh .wh.b a\nh .wh.c nope",
	 "d / Iw\nf .wh.b #1 W\nf .wh.c W\nf a #1\n"},
	{"beside one below", "f .wh.t\nf t/.wh.t", "d / Iw\nf .wh.t #1 W\n"},
	{"beside one below, later", "f t/u/.wh.x\nf .wh.t", "d / Iw\nf .wh.t #2 W\n"},
	{"beside something below", "f .wh.t\nf t/.wh.t\nd t/u",
	 "d / Iw\nf .wh.t #1 W\nd t Iw\nf t/.wh.t #2 W\nd t/u #3\n"},
	{"beside a directory of the archive", "f .wh.t\nd t\nf t/.wh.t",
	 "d / Iw\nf .wh.t #1 W\nd t #2 w\nf t/.wh.t #3 W\n"},
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

/* Chains of the greatest length, and one longer. */
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

	/* A symlink that lengthens the path without end. */
	plant_begin(&p);
	plant_line(&p, "l a a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p");
	plant_line(&p, "f a/x");
	ix = plant_open(&p);
	is_tree(ix, "d / I\nl a #1 -> a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p\nskipped 1\n",
		"a symlink that grows");
	index_close(ix);
}

/* A path of @len bytes, in components of @part bytes. */
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

/* 100,000 entries in two orders give the same index, byte for byte. */

int main(void)
{
	test_cases();
	test_chains();
	test_lengths();
	test_links_of_length();
	test_bytes();
	return test_done();
}
