/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/digest.h"
#include "fs/text/titles.h"
#include "registry/image/image.h"
#include "tests/unit/test.h"

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
	check_platforms();
	return test_done();
}
