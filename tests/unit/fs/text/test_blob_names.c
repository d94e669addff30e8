/* SPDX-License-Identifier: MIT */
/* The paths of blobs: every blob has one that no other has, whatever the titles are. */
#include "fs/text/blob_names.h"

#include <stdlib.h>

#include "base/digest.h"
#include "registry/image/descriptor.h"
#include "tests/unit/test.h"

#define N_MAX 1000

/* Blobs with these titles; NULL: without. A title that ends in '*' is of a packed one. */
static struct descriptor blobs[N_MAX];
static struct annotation annotations[N_MAX][2];
static char texts[N_MAX][300];

static void fill(const char *const *titles, size_t n)
{
	static char title[] = "org.opencontainers.image.title";
	static char unpack[] = "io.deis.oras.content.unpack", yes[] = "true";
	static char media[] = "a/b+json";
	size_t i;

	for (i = 0; i < n; i++) {
		size_t len = titles[i] ? strlen(titles[i]) : 0;
		bool is_packed = len > 0 && titles[i][len - 1] == '*';

		blobs[i] = (struct descriptor){.media_type = media};
		digest_of(DIGEST_SHA256, "x", 1, &blobs[i].digest);
		snprintf(texts[i], sizeof(texts[i]), "%.*s", (int)(len - is_packed),
			 titles[i] ? titles[i] : "");
		annotations[i][0] = (struct annotation){title, texts[i]};
		annotations[i][1] = (struct annotation){unpack, yes};
		blobs[i].annotations = titles[i] ? annotations[i] : &annotations[i][1];
		blobs[i].n_annotations = is_packed ? 2 : titles[i] ? 1 : 0;
	}
}

static void put_dir(const struct blob_names *t, uint32_t dir, char *out)
{
	if (dir == 0)
		return;
	put_dir(t, t->dirs[dir - 1].parent, out);
	sprintf(out + strlen(out), "%s/", t->dirs[dir - 1].name);
}

/* The paths of blob @i: "dir/model.tar.gz dir/model/". */
static const char *path_of(const struct blob_names *t, size_t i)
{
	static char out[20000];

	out[0] = '\0';
	put_dir(t, t->list[i].dir, out);
	strcat(out, t->list[i].file);
	if (t->list[i].packed) {
		strcat(out, " ");
		put_dir(t, t->list[i].dir, out);
		sprintf(out + strlen(out), "%s/", t->list[i].packed);
	}
	return out;
}

static void test_paths(void)
{
	static const struct {
		const char *title, *path;
	} rows[] = {
		{"a", "a"},
		{NULL, "2-2d711642b726.json"},
		{"a", "3-2d711642b726.json"},
		{"dir/one", "dir/one"},
		{"dir/sub/two", "dir/sub/two"},
		{"dir/one", "6-2d711642b726.json"},
		{"dir", "7-2d711642b726.json"},		/* a directory */
		{"dir/one/two", "8-2d711642b726.json"}, /* below a file */
		{"a/b/c", "9-2d711642b726.json"},
		{"model*", "model.tar.gz model/"},
		{"model/x", "11-2d711642b726.json"},
		{"model.tar.gz", "12-2d711642b726.json"},
		{"dir/sub/m*", "dir/sub/m.tar.gz dir/sub/m/"},
		{"dir/sub*", "14-2d711642b726.tar.gz 14-2d711642b726/"},
		{"dir/sub/m*", "15-2d711642b726.tar.gz 15-2d711642b726/"},
		{".*", "16-2d711642b726.tar.gz 16-2d711642b726/"},
		{"../x", ".._x"},
		{"/x", "_x"},
		{"x//y", "x__y"},
		{"x/./y", "x_._y"},
		{"x/../y", "x_.._y"},
		{"x/y/", "x_y_"},
		{"new\nline/\x1b[2J", "new_line/_[2J"},
		{"", "24-2d711642b726.json"},
		{"..", "25-2d711642b726.json"},
		{"../m*", ".._m.tar.gz .._m/"},
		{"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16",
		 "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16"},
		{"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
		 "1_2_3_4_5_6_7_8_9_10_11_12_13_14_15_16_17"},
		{"30-2d711642b726.json", "30-2d711642b726.json"},
		{NULL, "30-2d711642b726-1.json"},
	};
	enum { N = sizeof(rows) / sizeof(rows[0]) };
	const char *titles[N];
	struct blob_names t;
	size_t i;

	for (i = 0; i < N; i++)
		titles[i] = rows[i].title;
	fill(titles, N);
	is_int(blob_names_make(blobs, N, &t), 0, "names");
	is_int(t.n, N, "for all");
	for (i = 0; i < t.n; i++)
		is_text(path_of(&t, i), rows[i].path, "of %zu", i + 1);
	blob_names_release(&t);
	blobs[1].media_type = NULL;
	is_int(blob_names_make(blobs, 2, &t), 0, "names of two");
	is_text(t.list[1].file, "2-2d711642b726", "no media type suggests nothing");
	blob_names_release(&t);
	is_int(blob_names_make(NULL, 0, &t), 0, "no blobs");
	is_int(t.n + t.n_dirs, 0, "no names");
	blob_names_release(&t);
	blob_names_release(&t);
}

/* A path that leads nowhere leaves no empty directory. */
static void test_no_empty_directory(void)
{
	char name[260] = "d/e/";
	const char *titles[] = {name};
	struct blob_names t;

	memset(name + 4, 'n', 250);
	strcpy(name + 254, "*");
	fill(titles, 1);
	is_int(blob_names_make(blobs, 1, &t), 0, "there is no room for .tar.gz");
	is_text(path_of(&t, 0), "1-2d711642b726.tar.gz 1-2d711642b726/", "its number");
	is_int(t.n_dirs, 0, "no directories");
	blob_names_release(&t);
}

/* Titles made to meet the names that the last blob could have. */
static void test_hostile(void)
{
	static const char *titles[N_MAX];
	static char hostile[N_MAX][64];
	size_t i, twice = 0;
	struct blob_names t;

	for (i = 0; i < N_MAX - 1; i++) {
		snprintf(hostile[i], sizeof(hostile[i]), "1000-2d711642b726-%zu.json", i);
		titles[i] = hostile[i];
	}
	titles[0] = "1000-2d711642b726.json";
	fill(titles, N_MAX);
	is_int(blob_names_make(blobs, N_MAX, &t), 0, "names for a thousand");
	for (i = 0; i < N_MAX - 1; i++)
		twice += strcmp(t.list[i].file, t.list[N_MAX - 1].file) == 0;
	is_int(twice, 0, "the last one has its own: %s", t.list[N_MAX - 1].file);
	blob_names_release(&t);
}

/* As many directories as a thousand titles can ask for. */
static void test_many_directories(void)
{
	static const char *titles[N_MAX];
	static char deep[N_MAX][100];
	struct blob_names t;
	size_t i, flat = 0;

	for (i = 0; i < N_MAX; i++) {
		snprintf(deep[i], sizeof(deep[i]), "%zu/2/3/4/5/6/7/8/9/10/x", i);
		titles[i] = deep[i];
	}
	fill(titles, N_MAX);
	is_int(blob_names_make(blobs, N_MAX, &t), 0, "names for a thousand");
	ok(t.n_dirs <= BLOB_NAMES_DIRS_MAX && t.n_dirs > BLOB_NAMES_DIRS_MAX - 10,
	   "%zu directories", t.n_dirs);
	for (i = 0; i < N_MAX; i++)
		flat += t.list[i].dir == 0;
	is_int(flat, N_MAX - t.n_dirs / 10, "the others have numbers");
	blob_names_release(&t);
}

static void parts_are(const char *title, const char *want)
{
	const char *titles[] = {title}, *part;
	char got[100] = "";
	size_t at = 0, len;

	fill(titles, 1);
	while ((part = blob_next_part(&blobs[0], &at, &len)))
		sprintf(got + strlen(got), "%.*s|", (int)len, part);
	is_text(got, want, "parts of %s", title ? title : "(none)");
}

static void test_parts(void)
{
	parts_are("model*", "model|");
	parts_are("a/b/model*", "a|b|model|");
	parts_are(".*", "");
	parts_are("./a//./b/*", "a|b|");
	parts_are("/a/../b", "a|..|b|");
	parts_are("", "");
	parts_are(NULL, "");
	fill((const char *[]){"a*", "a"}, 2);
	ok(blob_is_packed(&blobs[0]) && !blob_is_packed(&blobs[1]), "packed or not");
}

int main(void)
{
	test_paths();
	test_no_empty_directory();
	test_hostile();
	test_many_directories();
	test_parts();
	return test_done();
}
