/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "base/store/documents.h"
#include "base/store/room.h"
#include "base/store/slot.h"
#include "tests/unit/base/store/stores.h"

/* Opening */

static void test_open(void)
{
	struct store *s = NULL;
	struct err e = {""};
	struct stat st;

	is_int(store_open(place_path("a/b/c"), &s, &e), 0, "parents are made");
	is_text(store_dir(s), place_path("a/b/c"), "it says where it is");
	ok(stat(place_path("a/b/c"), &st) == 0 && (st.st_mode & 07777) == 0700,
	   "for us alone");
	store_close(s);
	is_int(store_open(place_path("a/b/c"), &s, &e), 0, "and again");
	store_close(s);
	store_close(NULL);

	s = NULL;
	ok(store_open("", &s, &e) < 0 && !s, "no name is no place: %s", e.text);
	change_file(place_path("file"), "x");
	ok(store_open(place_path("file"), &s, &e) < 0 && !s, "nor is a file: %s", e.text);
	ok(store_open(place_path("file/sub"), &s, &e) < 0 && !s, "nor below one: %s",
	   e.text);

	is_int(chmod(place_path("a/b/c"), 0770), 0, "a place where others may write");
	is_int(store_open(place_path("a/b/c"), &s, &e), -EACCES, "is refused: %s",
	       e.text);
	ok(stat(place_path("a/b/c"), &st) == 0 && (st.st_mode & 07777) == 0770,
	   "and not changed");
	is_int(chmod(place_path("a/b/c"), 0755), 0, "one that others may read");
	is_int(store_open(place_path("a/b/c"), &s, &e), 0, "is fine");
	store_close(s);
	if (geteuid() == 0) {
		is_int(chown(place_path("a/b/c"), 12345, 12345), 0, "a place of another");
		is_int(store_open(place_path("a/b/c"), &s, &e), -EACCES, "is refused: %s",
		       e.text);
	}
}

static void test_default_place(void)
{
	struct store *s = NULL;

	place_env("XDG_CACHE_HOME", place);
	is_int(store_open(NULL, &s, NULL), 0, "the user's own place");
	is_text(store_dir(s), place_path("peelfs"), "is where XDG says");
	store_close(s);
	place_env("XDG_CACHE_HOME", "relative");
	if (geteuid() != 0) {
		place_env("HOME", place);
		is_int(store_open(NULL, &s, NULL), 0, "but never a relative one");
		is_text(store_dir(s), place_path(".cache/peelfs"),
			"then it is below HOME");
		store_close(s);
	}
	place_env("XDG_CACHE_HOME", NULL);
}

static void test_private(void)
{
	struct digest d = digest_text("x");
	struct slot *slot = NULL;
	struct store *s = NULL;
	struct buf b;
	int fd;

	place_env("TMPDIR", place);
	buf_init(&b, 100);
	is_int(store_open_private(&s, NULL), 0, "a private store");
	ok(store_dir(s) == NULL, "has no place");
	ok(store_put_document(s, &d, "x", 1) < 0, "keeps no documents");
	is_int(store_get_document(s, &d, 100, &b), -ENOENT, "and has none");
	ok(store_put_note(s, "n", "x") < 0, "no notes");
	is_int(store_get_note(s, "n", &b), -ENOENT, "none at all");
	is_int(slot_open(s, &d, &slot), 0, "a slot it has");
	is_int(slot_lock(slot, NULL, NULL), 0, "that nobody else wants");
	is_int(slot_open_index(slot), -ENOENT, "no index");
	fd = slot_new_index(slot);
	ok(fd >= 0 && write(fd, "x", 1) == 1, "but room for one");
	is_int(slot_publish_index(slot, fd), 0, "which is published to nobody");
	close(fd);
	is_int(slot_open_index(slot), -ENOENT, "still none");
	fd = slot_data(slot);
	ok(fd >= 0 && pwrite(fd, "x", 1, 1 << 20) == 1, "and data");
	is_int(slot_data(slot), fd, "the same file each time");
	is_int(slot_map(slot, 100), 0, "with rows");
	slot_set_filled(slot, 99, 1 << 20, 1);
	ok(slot_is_filled(slot, 99) && !slot_is_filled(slot, 98), "that are kept");
	slot_unlock(slot);
	slot_drop(slot);
	slot_close(slot);
	store_close(s);
	buf_release(&b);
	place_env("TMPDIR", NULL);
}

/* Kills */

#define KILLS 25

static void put_for_ever(void)
{
	struct store *s = open_store("killed");
	struct digest layer = digest_text("layer");
	struct slot *slot = NULL;
	char text[3000];
	unsigned i;
	int fd;

	if (slot_open(s, &layer, &slot) < 0)
		_exit(1);
	for (i = 0;; i++) {
		struct digest d;

		memset(text, 'a' + (int)(i % 26), sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		d = digest_text(text);
		if (store_put_document(s, &d, text, sizeof(text) - 1) < 0 ||
		    store_put_note(s, "note", text) < 0)
			_exit(1);
		fd = slot_new_index(slot);
		if (fd < 0 || write(fd, text, sizeof(text)) != sizeof(text) ||
		    slot_publish_index(slot, fd) < 0)
			_exit(1);
		close(fd);
	}
}

static bool is_uniform(const char *text, size_t len)
{
	return len == 2999 && memcmp(text, text + 1, len - 1) == 0;
}

static void test_kill(void)
{
	struct digest layer = digest_text("layer");
	unsigned i, whole = 0, alive = 0, status_bad = 0;
	bool noted = false, indexed = false; /* once there, always there */
	struct slot *slot = NULL;
	struct store *s;
	char text[3000];
	struct buf b;
	int fd, status;

	buf_init(&b, 8192);
	for (i = 0; i < KILLS; i++) {
		struct timespec wait = {.tv_nsec = 5000000 + 997000 * (long)i};
		pid_t pid = fork();

		if (pid == 0)
			put_for_ever();
		nanosleep(&wait, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		status_bad += !WIFSIGNALED(status);
		s = open_store("killed");
		buf_clear(&b);
		if (store_get_note(s, "note", &b) == 0)
			whole += noted = is_uniform(b.data, b.len);
		else
			whole += !noted;
		if (slot_open(s, &layer, &slot) == 0) {
			fd = slot_open_index(slot);
			if (fd >= 0)
				alive += indexed = read(fd, text, sizeof(text)) ==
							   sizeof(text) &&
						   is_uniform(text, 2999);
			else
				alive += !indexed;
			if (fd >= 0)
				close(fd);
			slot_close(slot);
		}
		store_close(s);
	}
	ok(noted && indexed, "something was written in time");
	is_int(status_bad, 0, "the writer never failed by itself");
	is_int(whole, KILLS, "whenever it was killed, the note is a whole one");
	is_int(alive, KILLS, "and so is the index");
	ok(count_files("killed/tmp") <= KILLS,
	   "at worst one file for each kill is left in tmp/");
	buf_release(&b);
}

static void test_clean_tmp(void)
{
	struct timespec old[2] = {{.tv_sec = time(NULL) - 7200},
				  {.tv_sec = time(NULL) - 7200}};

	store_close(open_store("tidy"));
	change_file(place_path("tidy/tmp/0123456789abcdef"), "x");
	change_file(place_path("tidy/tmp/fedcba9876543210"), "x");
	change_file(place_path("tidy/tmp/thesis"), "x");
	is_int(utimensat(AT_FDCWD, place_path("tidy/tmp/0123456789abcdef"), old, 0) |
		       utimensat(AT_FDCWD, place_path("tidy/tmp/thesis"), old, 0),
	       0, "two files of two hours ago");
	store_close(open_store("tidy"));
	ok(access(place_path("tidy/tmp/0123456789abcdef"), F_OK) < 0, "is removed");
	ok(access(place_path("tidy/tmp/thesis"), F_OK) == 0,
	   "one with a name not of ours is not");
	ok(access(place_path("tidy/tmp/fedcba9876543210"), F_OK) == 0,
	   "nor one that may be in use");
}

/* Many at once */

static void *put_and_get(void *arg)
{
	struct store *s = arg;
	size_t bad = 0;
	unsigned i;

	for (i = 0; i < 60; i++) {
		char text[32];
		struct digest d;
		struct buf b;

		snprintf(text, sizeof(text), "text %u", i % 20);
		d = digest_text(text);
		buf_init(&b, 100);
		bad += store_put_document(s, &d, text, strlen(text)) < 0;
		bad += store_get_document(s, &d, 100, &b) < 0;
		bad += store_put_note(s, "n", text) < 0;
		buf_clear(&b);
		bad += store_get_note(s, "n", &b) < 0 ||
		       strncmp(buf_text(&b), "text ", 5);
		buf_release(&b);
	}
	return (void *)bad;
}

static void test_threads(void)
{
	struct store *s = open_store("many"), *t = open_store("many");
	pthread_t threads[4];
	size_t all = 0;
	void *bad;
	int i;

	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, put_and_get, i % 2 ? s : t);
	for (i = 0; i < 4; i++) { /* all end before a failed check may exit */
		pthread_join(threads[i], &bad);
		all += (size_t)bad;
	}
	is_int((long long)all, 0, "threads do not disturb each other");
	is_int(count_files("many/tmp"), 0, "and tidy up");
	store_close(s);
	store_close(t);
}

/* A full disk */

static void fill_disk(void)
{
	int fd = open(place_path("small/filler"), O_WRONLY | O_CREAT, 0600);
	static const char zeros[4096];

	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	close(fd);
}

static void test_full_disk(void)
{
	struct digest d = digest_text("x"), before = digest_text("before");
	struct slot *slot = NULL, *old = NULL;
	struct store *s = NULL, *t = NULL;
	struct err e = {""};
	struct buf b;
	int fd;

	buf_init(&b, 8192);
	if (!place_small_disk(place_path("small"), "256k,nr_inodes=40")) {
		ok(true, "full disk # SKIP may not mount");
		buf_release(&b);
		return;
	}
	is_int(store_open(place_path("small/store"), &s, &e), 0,
	       "a store on a small disk");
	is_int(store_put_document(s, &before, "before", 6), 0, "with something in it");
	is_int(store_trouble(s, &e), 0, "and well");
	is_int(slot_open(s, &before, &old), 0, "and a slot");
	fill_disk();
	ok(store_put_document(s, &d, "x", 1) < 0, "full: documents are not taken");
	is_int(store_get_document(s, &d, 100, &b), -ENOENT, "and not there by half");
	is_int(store_get_document(s, &before, 100, &b), 0, "what was there is");
	ok(store_put_note(s, "n", "x") < 0, "nor notes");
	is_int(count_files("small/store/tmp"), 0, "nothing is left in tmp/");
	ok(slot_map(old, 10000) < 0, "rows have no room");
	slot_set_filled(old, 9999, 0, 1);
	ok(!slot_is_filled(old, 9999), "and without them nothing is filled");
	is_int(store_make_room(s, 1 << 20), -ENOSPC, "no room can be made");
	is_int(store_trouble(s, &e), -ENOSPC, "which is known: %s", e.text);
	fd = store_new_copy(s, 1 << 20);
	ok(fd >= 0 && write(fd, "x", 1) == 1, "a large file lies elsewhere");
	ok(!store_keep(s, fd, "x", 1, 0), "which is not the store's");
	close(fd);
	ok(store_new_copy(s, UINT64_MAX) < 0, "and is not of any size");

	while ((fd = open(place_path("small/many"), O_CREAT | O_EXCL | O_WRONLY, 0600)) >=
	       0) {
		close(fd);
		snprintf(e.text, sizeof(e.text), "%s%u", place_path("small/many"),
			 rand());
		if (rename(place_path("small/many"), e.text) < 0)
			break;
	}
	is_int(slot_open(s, &d, &slot), 0,
	       "no room for a directory: a slot all the same");
	is_int(slot_lock(slot, NULL, NULL), 0, "locked by nothing");
	is_int(slot_open_index(slot), -ENOENT, "empty");
	fd = slot_new_index(slot);
	ok(fd >= 0 && write(fd, "x", 1) == 1, "an index in memory");
	is_int(slot_publish_index(slot, fd), 0, "for this process");
	ok(slot_data(slot) < 0, "no data");
	is_int(slot_map(slot, 10), 0, "rows");
	slot_unlock(slot);
	slot_close(slot);
	slot_close(old);
	close(fd);
	ok(store_open(place_path("small/other"), &t, &e) < 0, "no new store: %s", e.text);
	is_int(store_open(place_path("small/store"), &t, &e), 0, "but the old one");
	store_close(t);
	store_close(s);
	buf_release(&b);
}

int main(void)
{
	umask(022);
	place_make();
	test_open();
	test_default_place();
	test_private();
	if (!getenv("OOM_SITE")) /* tests/unit/oom counts in one process */
		test_kill();
	test_clean_tmp();
	test_threads();
	test_full_disk();
	return test_done();
}
