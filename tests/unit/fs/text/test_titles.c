/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/digest.h"
#include "fs/text/titles.h"
#include "registry/image/image.h"
#include "tests/unit/test.h"

#define TITLE "org.opencontainers.image.title"
#define N_MAX 1000

static char long_text[400];

static void check_clean(void)
{
	static const struct {
		const char *text, *name; /* NULL: none */
	} table[] = {
		{"chart.tgz", "chart.tgz"},
		{"", NULL},
		{".", NULL},
		{"..", NULL},
		{"...", "..."},
		{"/", "_"},
		{"../../etc/passwd", ".._.._etc_passwd"},
		{"/etc/passwd", "_etc_passwd"},
		{"a\nb\033[31m\x7f", "a_b_[31m_"},
		{"a\xc2\x9b"
		 "b\xe2\x80\xae"
		 "c\xe2\x81\xa6",
		 "a_b_c_"},
		{"sp ace \\ \"q\"", "sp ace \\ \"q\""},
		{"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
		{"-rf", "-rf"},
		{".wh.a", ".wh.a"},
	};
	char name[NAME_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		bool is_name = title_clean(table[i].text, name);

		ok(is_name == (table[i].name != NULL), "%zu: a name or not", i);
		if (is_name)
			is_text(name, table[i].name, "which");
	}
	memset(long_text, 'a', 399);
	ok(title_clean(long_text, name) && strlen(name) == 255,
	   "what is too long is cut");
	memcpy(long_text + 254, "\xe2\x82\xac", 3);
	ok(title_clean(long_text, name) && strlen(name) == 254, "but not in a character");
	memset(long_text, 0x80, 399);
	ok(!title_clean(long_text, name), "what is no text at all may be nothing");
}

/* Blobs with these titles; NULL: without. */
static void fill(struct descriptor *d, struct annotation *a, const char *const *titles,
		 size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		d[i] = (struct descriptor){.media_type = (char *)(uintptr_t) "a/b+json"};
		digest_of(DIGEST_SHA256, "x", 1, &d[i].digest);
		if (!titles[i])
			continue;
		a[i].key = (char *)(uintptr_t)TITLE;
		a[i].value = (char *)(uintptr_t)titles[i];
		d[i].annotations = &a[i];
		d[i].n_annotations = 1;
	}
}

static void check_names(void)
{
	static const char *const titles[] = {"a",
					     NULL,
					     "a",
					     "b/c",
					     "b_c",
					     "..",
					     "3-2d711642b726.json",
					     "2-2d711642b726.json"};
	static const char *const names[] = {"a",
					    "2-2d711642b726.json",
					    "3-2d711642b726.json",
					    "b_c",
					    "5-2d711642b726.json",
					    "6-2d711642b726.json",
					    "7-2d711642b726.json",
					    "8-2d711642b726.json"};
	struct annotation a[8];
	struct descriptor d[8];
	char **out = NULL;
	size_t i;

	fill(d, a, titles, 8);
	is_int(titles_make(d, 8, &out), 0, "names");
	for (i = 0; out && i < 8; i++)
		is_text(out[i], names[i], "of %zu", i + 1);
	titles_free(out, 8);
	d[1].media_type = NULL;
	is_int(titles_make(d, 2, &out), 0, "names of two");
	is_text(out[1], "2-2d711642b726", "no media type suggests nothing");
	titles_free(out, 2);
	is_int(titles_make(NULL, 0, &out), 0, "no blobs");
	titles_free(out, 0);
	titles_free(NULL, 3);
}

/* Titles made to meet the names that the last blob could have. */
static void check_hostile(void)
{
	static const char *titles[N_MAX];
	static char texts[N_MAX][64];
	static struct annotation a[N_MAX];
	static struct descriptor d[N_MAX];
	size_t i, twice = 0;
	char **out = NULL;

	for (i = 0; i < N_MAX - 1; i++) {
		snprintf(texts[i], sizeof(texts[i]), "1000-2d711642b726-%zu.json", i);
		titles[i] = texts[i];
	}
	titles[0] = "1000-2d711642b726.json";
	fill(d, a, titles, N_MAX);
	is_int(titles_make(d, N_MAX, &out), 0, "names for a thousand");
	for (i = 0; out && i < N_MAX - 1; i++)
		twice += strcmp(out[i], out[N_MAX - 1]) == 0;
	is_int(twice, 0, "the last one has its own: %s", out ? out[N_MAX - 1] : "");
	titles_free(out, N_MAX);
}

/* An image of platform l/@arch/@variant; its digest is f but for the first and last digit. */
static void say(struct descriptor *d, const char *arch, const char *variant, char first,
		char last)
{
	char text[] = "sha256:ffffffffffffffffffffffffffffffff"
		      "ffffffffffffffffffffffffffffffff";

	text[7] = first;
	text[sizeof(text) - 2] = last;
	*d = (struct descriptor){.has_platform = true, .platform.os = "l"};
	snprintf(d->platform.arch, sizeof(d->platform.arch), "%s", arch);
	snprintf(d->platform.variant, sizeof(d->platform.variant), "%s", variant);
	ok(digest_parse(text, strlen(text), &d->digest) == 0, "%s", text);
}

/* Of one platform, called as the other's digest, or with a digest that begins as another. */
static void check_platforms(void)
{
	static const struct {
		const char *arch, *variant;
		char first, last;
		const char *name;
	} rows[] = {
		{"a", "", 'a', 'f', "l-a"},
		{"b", "", 'a', 'f', "l-b"},
		{"a", "", 'b', 'f', "l-a-bfffffffffff"},
		{"a", "", 'b', 'e',
		 "l-a-bffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe"},
		{"a", "bfffffffffff", 'c', 'f',
		 "l-a-bfffffffffff-"
		 "cfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
		{"a", "cfffffffffff", 'c', 'f', "l-a-cfffffffffff"},
		{"a", "", 'c', 'f',
		 "l-a-cfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
		{"a/b", "", 'a', 'f', "l-a_b"},
		{"a_b", "", 'b', 'f', "l-a_b-bfffffffffff"},
	};
	struct descriptor d[9];
	char **out = NULL;
	size_t i;

	for (i = 0; i < 9; i++)
		say(&d[i], rows[i].arch, rows[i].variant, rows[i].first, rows[i].last);
	is_int(titles_of_platforms(d, 9, &out), 0, "names");
	for (i = 0; out && i < 9; i++)
		is_text(out[i], rows[i].name, "of %zu", i);
	titles_free(out, 9);
	out = NULL;
	is_int(titles_of_platforms(NULL, 0, &out), 0, "none");
	titles_free(out, 0);
}

int main(void)
{
	check_clean();
	check_names();
	check_hostile();
	check_platforms();
	return test_done();
}
