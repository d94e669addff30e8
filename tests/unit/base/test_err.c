/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/err.h"
#include "tests/unit/test.h"

static void test_sentences(void)
{
	char long_text[2 * ERR_TEXT_MAX];
	struct err e = {""};

	is_int(err_set(&e, -EIO, "%s: %d", "layer", 7), -EIO, "the code comes back");
	is_text(e.text, "layer: 7", "the sentence is there");
	is_int(err_prefix(&e, -EACCES, "%s", "host"), -EACCES,
	       "so it does with a prefix");
	is_text(e.text, "host: layer: 7", "the prefix is before it");
	is_int(err_set(NULL, -EIO, "x"), -EIO, "no place for a sentence");
	is_int(err_prefix(NULL, -EIO, "x"), -EIO, "nor for a prefix");

	memset(long_text, 'a', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	err_set(&e, -EIO, "%s", long_text);
	is_int(strlen(e.text), ERR_TEXT_MAX - 1, "a long one is cut");
	err_prefix(&e, -EIO, "where");
	is_int(strlen(e.text), ERR_TEXT_MAX - 1, "and cut again behind a prefix");
	ok(strncmp(e.text, "where: aaa", 10) == 0, "the prefix is whole");
	err_set(&e, -EIO, "what");
	err_prefix(&e, -EIO, "%s", long_text);
	is_int(strlen(e.text), ERR_TEXT_MAX - 1, "a long prefix takes all");
}

static void test_printable(void)
{
	static const struct {
		const char *raw, *shown;
	} rows[] = {
		{"a\x1b[2Jb\n\tc", "a?[2Jb??c"},
		{"\x7f\x01", "??"},
		{"h\xc3\xa4\xe2\x82\xac", "h\xc3\xa4\xe2\x82\xac"},
		{"\xc2\x9b"
		 "31m",
		 "?31m"},
		{"\xc2\xa0", "\xc2\xa0"},
		{"\xc2", "\xc2"},
		{"\xff\xfe", "\xff\xfe"},
	};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		err_set(&e, -EIO, "%s", rows[i].raw);
		is_text(e.text, rows[i].shown, "no terminal obeys row %zu", i);
		err_set(&e, -EIO, "x");
		err_prefix(&e, -EIO, "%s", rows[i].raw);
		ok(strncmp(e.text, rows[i].shown, strlen(rows[i].shown)) == 0,
		   "nor as a prefix");
	}
}

int main(void)
{
	test_sentences();
	test_printable();
	return test_done();
}
