/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/buf.h"
#include "base/store/documents.h"
#include "tests/unit/base/store/stores.h"

static void test_documents(void)
{
	static const char text[] = "{\"a\":1}";
	struct store *s = open_store("docs");
	struct digest d = digest_text(text), other = digest_text("other"),
		      empty = digest_text("");
	char path[PATH_MAX];
	struct buf b;

	buf_init(&b, 1000);
	is_int(store_get_document(s, &d, 1000, &b), -ENOENT, "nothing there yet");
	is_int(store_put_document(s, &d, text, strlen(text)), 0, "put");
	is_int(store_put_document(s, &d, text, strlen(text)), 0, "put again");
	is_int(store_get_document(s, &d, 1000, &b), 0, "get");
	is_text(buf_text(&b), text, "the same bytes");
	buf_clear(&b);
	is_int(store_get_document(s, &d, strlen(text), &b), 0, "as large as may be");
	buf_clear(&b);
	is_int(store_get_document(s, &d, strlen(text) - 1, &b), -ENOENT,
	       "larger than may be");
	is_int(store_get_document(s, &other, 1000, &b), -ENOENT, "another is not there");
	is_int(store_put_document(s, &empty, "", 0), 0, "an empty one");
	is_int(store_get_document(s, &empty, 0, &b), 0, "comes back");
	is_int(b.len, 0, "empty");
	is_int(count_files("docs/tmp"), 0, "nothing is left in tmp/");
	store_close(s);
	unlink(place_path(
		"docs/documents/sha256/"
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));

	s = open_store("docs");
	change_file(only_file("docs/documents"), "{\"a\":2}");
	is_int(store_get_document(s, &d, 1000, &b), -ENOENT,
	       "a damaged one is not there");
	is_int(b.len, 0, "and leaves no bytes");
	change_file(only_file("docs/documents"), "{\"a\":");
	is_int(store_get_document(s, &d, 1000, &b), -ENOENT, "nor is one cut short");
	change_file(only_file("docs/documents"), "");
	is_int(store_get_document(s, &d, 1000, &b), -ENOENT, "nor an empty one");
	is_int(store_put_document(s, &d, text, strlen(text)), 0, "it is mended");
	is_int(store_get_document(s, &d, 1000, &b), 0, "and there");
	snprintf(path, sizeof(path), "%s", only_file("docs/documents"));
	is_int(rename(path, place_path("document")), 0, "elsewhere");
	is_int(symlink(place_path("document"), path), 0, "and a link to it");
	buf_clear(&b);
	is_int(store_get_document(s, &d, 1000, &b), -ENOENT, "is not followed");
	is_int(store_put_document(s, &d, text, strlen(text)), 0, "but replaced");
	is_int(store_get_document(s, &d, 1000, &b), 0, "there again");
	buf_release(&b);
	store_close(s);
}

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

static void test_check(void)
{
	struct store *s = open_store("checked");
	struct digest d = digest_text("good"), bad_one = digest_text("bad");
	unsigned bad = 0;
	struct buf b;

	buf_init(&b, 100);
	is_int(store_put_document(s, &bad_one, "bad", 3), 0, "a document");
	change_file(only_file("checked/documents"), "BAD");
	is_int(store_put_document(s, &d, "good", 4), 0, "and another one");
	is_int(store_put_note(s, "name", "text"), 0, "and a note");
	is_int(store_check_documents(s, &bad), 0, "are checked");
	is_int(bad, 1, "the damaged one is found");
	is_int(store_get_document(s, &d, 100, &b), 0, "the good one stays");
	change_file(only_file("checked/names"), "text");
	is_int(store_check_documents(s, &bad), 0, "once more");
	is_int(bad, 2, "a damaged note is found, too");
	is_int(count_files("checked/names"), 0, "and removed");
	buf_release(&b);
	store_close(s);
}

int main(void)
{
	place_make();
	test_documents();
	test_notes();
	test_check();
	return test_done();
}
