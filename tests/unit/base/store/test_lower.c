/* SPDX-License-Identifier: MIT */
/* Stores below another one: which are accepted, and what is read from them. */
#include "base/store/lower.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/store/documents.h"
#include "tests/unit/base/store/stores.h"

static struct store *store_with(const char *name, const char *document, const char *note)
{
	struct store *s = open_store(name);
	struct digest d = digest_text(document);

	if (store_put_document(s, &d, document, strlen(document)) < 0 ||
	    store_put_note(s, "tag x", note) < 0)
		exit(77);
	return s;
}

static int add(struct store *s, const char *name, struct err *e)
{
	return store_add_lower(s, place_path(name), e);
}

static void test_rule(void)
{
	struct store *s = open_store("upper");
	struct err e = {""};
	char name[16];
	int i;

	store_close(store_with("low", "a", "1"));
	is_int(add(s, "none", &e), -ENOENT, "no directory: %s", e.text);
	ok(mkdir(place_path("empty"), 0700) == 0, "a directory");
	is_int(add(s, "empty", &e), -ENOENT, "no store: %s", e.text);
	chmod(place_path("low"), 0770);
	is_int(add(s, "low", &e), -EACCES, "others may write: %s", e.text);
	chmod(place_path("low"), 0702);
	is_int(add(s, "low", &e), -EACCES, "all may: %s", e.text);
	if (geteuid() == 0) {
		chmod(place_path("low"), 0755);
		ok(chown(place_path("low"), 1234, 0) == 0, "given to another user");
		is_int(add(s, "low", &e), -EACCES, "is refused: %s", e.text);
		ok(chown(place_path("low"), 0, 1234) == 0, "and back to root");
	}
	chmod(place_path("low"), 0755);
	is_int(add(s, "low", &e), 0, "accepted");
	is_int(add(s, "low", &e), 0, "twice");
	is_int(add(s, "upper", &e), 0, "and itself");
	is_int(store_n_lower(s), 1, "is one");
	is_text(store_lower_dir(s, 0), place_path("low"), "of this directory");
	for (i = 1; i < 8; i++) {
		snprintf(name, sizeof(name), "low%d", i);
		store_close(store_with(name, "a", "1"));
		is_int(add(s, name, &e), 0, "more");
	}
	store_close(store_with("low9", "a", "1"));
	is_int(add(s, "low9", &e), -E2BIG, "too many: %s", e.text);
	store_close(s);
}

static bool has_document(struct store *s, const char *text)
{
	struct digest d = digest_text(text);
	struct buf b;
	bool has;

	buf_init(&b, 100);
	has = store_get_document(s, &d, 100, &b) == 0 && strcmp(buf_text(&b), text) == 0;
	buf_release(&b);
	return has;
}

static bool note_is(struct store *s, const char *text)
{
	struct buf b;
	bool is;

	buf_init(&b, 100);
	is = store_get_note(s, "tag x", &b) == 0 && strcmp(buf_text(&b), text) == 0;
	buf_release(&b);
	return is;
}

static void test_documents(bool copies)
{
	const char *own = copies ? "copies" : "reads";
	struct store *s = open_store(own);

	store_close(store_with("first", "one", "first"));
	store_close(store_with("second", "two", "second"));
	is_int(add(s, "first", NULL), 0, "a store");
	is_int(add(s, "second", NULL), 0, "and another");
	if (copies)
		store_copy_lower(s);
	ok(has_document(s, "one") && has_document(s, "two"), "documents of both");
	ok(!has_document(s, "three"), "and of none");
	ok(note_is(s, "first"), "the note of the first");
	store_close(s);
	s = open_store(own);
	is_int(has_document(s, "two") && note_is(s, "first"), copies,
	       "they are copied if that is asked for");
	is_int(store_put_note(s, "tag x", "own"), 0, "a note of its own");
	is_int(add(s, "first", NULL), 0, "a store");
	ok(note_is(s, "own"), "goes before");
	store_close(s);
}

static void test_damaged(void)
{
	struct store *s = open_store("own");

	store_close(store_with("bad", "right", "right"));
	store_close(store_with("good", "right", "right"));
	change_file(only_file("bad/documents"), "wrong");
	change_file(only_file("bad/names"), "wrong");
	is_int(add(s, "bad", NULL), 0, "a damaged store");
	ok(!has_document(s, "right") && !note_is(s, "right"), "its bytes are not used");
	is_int(add(s, "good", NULL), 0, "one below it");
	ok(has_document(s, "right") && note_is(s, "right"), "those of the next are");
	store_close(s);
}

static void count_trouble(void *arg, const char *sentence)
{
	ok(strstr(sentence, "such files are not used") != NULL, "%s", sentence);
	++*(int *)arg;
}

static void test_files(void)
{
	struct store *s = open_store("own2");
	int n = 0;

	store_on_trouble(s, count_trouble, &n);
	store_close(store_with("loose", "text", "text"));
	chmod(only_file("loose/documents"), 0622);
	chmod(only_file("loose/names"), 0606);
	is_int(add(s, "loose", NULL), 0, "a store with files that others may write");
	ok(!has_document(s, "text") && !note_is(s, "text"), "which are not used");
	is_int(n, 1, "and that is said once");
	chmod(only_file("loose/documents"), 0644);
	ok(has_document(s, "text"), "until that is mended");
	store_close(s);
}

int main(void)
{
	place_make();
	umask(0);
	test_rule();
	test_documents(false);
	test_documents(true);
	test_damaged();
	test_files();
	return test_done();
}
