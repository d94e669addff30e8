/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/control.h"
#include "tests/unit/test.h"

static void test_characters(void)
{
	static const struct {
		const char *text;
		size_t len;
		unsigned code;
	} table[] = {
		{"\x1b[", 1, 0x1b},
		{"\n", 1, '\n'},
		{"\x7f", 1, 0x7f},
		{" ", 0, 0},
		{"~", 0, 0},
		{"\xc2\x80", 2, 0x80},
		{"\xc2\x9f", 2, 0x9f},
		{"\xc2\xa0", 0, 0},
		{"\xc2", 0, 0},
		{"\xc3\x80", 0, 0},
		{"\xe2\x80\xa9", 0, 0},
		{"\xe2\x80\xaa", 3, 0x202a},
		{"\xe2\x80\xae", 3, 0x202e},
		{"\xe2\x80\xaf", 0, 0},
		{"\xe2\x81\xa5", 0, 0},
		{"\xe2\x81\xa6", 3, 0x2066},
		{"\xe2\x81\xa9", 3, 0x2069},
		{"\xe2\x81\xaa", 0, 0},
		{"\xe2\x80", 0, 0},
		{"\xe2\x82\xac", 0, 0},
		{"\xe2\x80*", 0, 0},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *text = table[i].text;
		unsigned code = 0;

		ok(control_len(text, text + strlen(text), &code) == table[i].len &&
			   code == table[i].code,
		   "character %zu", i);
	}
}

static void test_mask(void)
{
	char text[] = "a\tb\xe2\x80\xae"
		      "c\xc2\x9b\n\xe2\x82\xac\xc2",
	     empty[] = "";

	control_mask(text);
	is_text(text, "a?b?c??\xe2\x82\xac\xc2", "one mark for each");
	control_mask(empty);
	is_text(empty, "", "nothing");
}

int main(void)
{
	test_characters();
	test_mask();
	return test_done();
}
