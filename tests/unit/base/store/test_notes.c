/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/buf.h"
#include "base/store/notes.h"
#include "tests/unit/base/store/stores.h"

static void test_notes(void)
{
	struct store *s = open_store("notes");
	char large[4098];
	struct buf b;

	buf_init(&b, 8192);
	memset(large, 'x', sizeof(large));
	large[4097] = '\0';
	is_int(store_get_note(s, "host/repo:tag", &b), -ENOENT, "no note");
	is_int(store_put_note(s, "host/repo:tag", "one"), 0, "put");
	is_int(store_put_note(s, "host/repo:tag", "two"), 0, "replace");
	is_int(store_put_note(s, "host/../:\n", "three"), 0, "any name");
	is_int(store_get_note(s, "host/repo:tag", &b), 0, "get");
	is_text(buf_text(&b), "two", "the later one");
	buf_clear(&b);
	is_int(store_get_note(s, "host/../:\n", &b), 0, "get the other");
	is_text(buf_text(&b), "three", "by its name");
	is_int(store_put_note(s, "large", large), -E2BIG, "a note is small");
	large[4096] = '\0';
	is_int(store_put_note(s, "large", large), 0, "up to 4 KiB");
	buf_clear(&b);
	is_int(store_get_note(s, "large", &b), 0, "which come back");
	is_int(b.len, 4096, "all");
	buf_release(&b);
	store_close(s);
}

int main(void)
{
	place_make();
	test_notes();
	return test_done();
}
