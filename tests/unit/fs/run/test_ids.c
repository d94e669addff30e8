/* SPDX-License-Identifier: MIT */
#include "fs/run/ids.h"

#include "tests/unit/test.h"

static struct id_map parse(const char *text)
{
	struct id_map m = {.rows = {{0, 1000, 1}}, .n = 1};

	ids_parse(&m, text, "me", 1000);
	return m;
}

static void parses_ranges(void)
{
	struct id_map m = parse("you:1:5\nme:100000:65536\n1000:300000:10\nme2:7:7");

	is_int(m.n, 3, "those of the name and of the number");
	is_int(m.rows[1].inside, 1, "the first follows root");
	is_int(m.rows[1].outside, 100000, "its start");
	is_int(m.rows[1].count, 65536, "its length");
	is_int(m.rows[2].inside, 65537, "the next follows");
	ok(ids_has(&m, 0) && ids_has(&m, 65546), "both ends are there");
	ok(!ids_has(&m, 65547), "what follows is not");
}

static void skips_bad_lines(void)
{
	static const char *const bad[] = {
		"me",
		"me:1",
		"me:1:",
		"me::1",
		"me:x:1",
		"me:1:x",
		"me:1:0",
		"me:-1:5",
		"me:4294967295:1",
		"me:4294967290:10",
		"me:1:4294967295",
		"me:1000:1",
		"me:999:2",
		":1:5",
		"me:1:5:6",
		"me :1:5",
		"#me:1:5",
		"me:99999999999:1",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_int(parse(bad[i]).n, 1, "%s", bad[i]);
	is_int(parse("me:5:5\nme:9:5\nme:10:5").n, 3, "an overlap is skipped");
}

static void has_a_ceiling(void)
{
	struct id_map m = {.n = 0};
	char text[64];
	int i;

	for (i = 0; i < 2 * IDS_ROWS_MAX; i++) {
		snprintf(text, sizeof(text), "me:%d:1\n", 100 + 2 * i);
		ids_parse(&m, text, "me", 1);
	}
	is_int(m.n, IDS_ROWS_MAX, "rows");
}

int main(void)
{
	parses_ranges();
	skips_bad_lines();
	has_a_ceiling();
	return test_done();
}
