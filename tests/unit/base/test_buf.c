/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/buf.h"
#include "tests/unit/test.h"

static void test_appends(void)
{
	struct buf b;
	char *taken;
	void *to;

	buf_init(&b, 10);
	is_text(buf_text(&b), "", "an empty one is a text");
	ok(buf_take(&b) == NULL, "and has nothing to take");
	is_int(buf_append(&b, NULL, 0), 0, "nothing can be appended");
	is_int(buf_append_text(&b, "hello"), 0, "append");
	is_int(buf_printf(&b, "%d", 12345), 0, "up to the ceiling");
	is_text(buf_text(&b), "hello12345", "all is there");
	is_int(buf_append(&b, "x", 1), -E2BIG, "one more is too many");
	is_int(buf_printf(&b, "x"), -E2BIG, "printed too");
	is_int(buf_reserve(&b, 1, &to), -E2BIG, "and reserved");
	is_int(buf_append(&b, "x", (size_t)-1), -E2BIG, "no sum wraps around");
	is_text(buf_text(&b), "hello12345", "a failure changes nothing");
	buf_clear(&b);
	is_text(buf_text(&b), "", "clear forgets");
	is_int(buf_append(&b, "a\0b", 3), 0, "bytes may be zero");
	is_int(b.len, 3, "and count");
	taken = buf_take(&b);
	ok(taken && memcmp(taken, "a\0b", 4) == 0, "taken, with its NUL");
	free(taken);
	is_int(b.len, 0, "nothing is left");
	is_int(buf_append_text(&b, "again"), 0, "and it can be used again");
	buf_release(&b);
	buf_release(&b);
	is_int(buf_append_text(&b, "again"), 0, "after a release too");
	buf_release(&b);
}

static void test_grows(void)
{
	struct buf b;
	size_t i;
	bool good = true;
	void *to;

	buf_init(&b, 100000);
	for (i = 0; i < 100000 / 4; i++) {
		unsigned v = (unsigned)i;

		good = good && buf_append(&b, &v, sizeof(v)) == 0 &&
		       b.data[b.len] == '\0';
	}
	ok(good, "piece by piece, a NUL behind each");
	is_int(b.len, 100000, "to a ceiling that is no power of two");
	for (i = 0; i < 100000 / 4; i++)
		good = good && ((unsigned *)(void *)b.data)[i] == i;
	ok(good, "nothing is lost by growing");
	ok(b.cap <= b.max, "and no more is asked for than the ceiling");
	buf_release(&b);

	buf_init(&b, 1000);
	is_int(buf_reserve(&b, 1000, &to), 0, "reserve all at once");
	memset(to, 'x', 1000);
	buf_advance(&b, 999);
	is_int(strlen(buf_text(&b)), 999, "advance by what was used");
	is_int(buf_printf(&b, "%s", ""), 0, "printing nothing fits");
	is_int(buf_printf(&b, "%c", 'y'), 0, "a last byte fits");
	is_int(buf_printf(&b, "%c", 'y'), -E2BIG, "and no more");
	buf_release(&b);

	buf_init(&b, 0);
	is_int(buf_append(&b, "", 0), 0, "a ceiling of nothing holds nothing");
	is_int(buf_append(&b, "a", 1), -E2BIG, "and not more");
	buf_release(&b);
}

int main(void)
{
	test_appends();
	test_grows();
	return test_done();
}
