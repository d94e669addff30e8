/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/store/store.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

static struct store *open_store(const char *name)
{
	struct store *s = NULL;
	struct err e = {""};

	if (store_open(place_path(name), &s, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		exit(1);
	}
	return s;
}

static struct digest digest_text(const char *text)
{
	struct digest d;

	if (digest_of(DIGEST_SHA256, text, strlen(text), &d) < 0)
		exit(77);
	return d;
}

/* Whatever file is the only one below PLACE/@name; its path. */
static const char *only_file(const char *name)
{
	static char path[PATH_MAX];
	struct dirent *d, *found;
	DIR *dir;

	snprintf(path, sizeof(path), "%s", place_path(name));
	while ((dir = opendir(path))) {
		found = NULL;
		while ((d = readdir(dir))) {
			if (d->d_name[0] != '.')
				found = d;
		}
		if (!found) {
			closedir(dir);
			return NULL;
		}
		snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s",
			 found->d_name);
		closedir(dir);
	}
	return path;
}

static unsigned count_files(const char *name)
{
	DIR *dir = opendir(place_path(name));
	struct dirent *d;
	unsigned n = 0;

	while (dir && (d = readdir(dir)))
		n += d->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

static void change_file(const char *path, const char *content)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(content, f) < 0 || fclose(f) != 0)
		exit(77);
}

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

/* Documents and notes */

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
	is_int(store_slot(s, &d, &slot), 0, "a slot it has");
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

/* Slots */

static void test_slot(void)
{
	struct store *s = open_store("slots"), *t = open_store("slots");
	struct digest d = digest_text("layer");
	struct slot *one = NULL, *two = NULL;
	char got[6] = "";
	struct stat st;
	int fd;

	is_int(store_slot(s, &d, &one), 0, "a slot");
	is_int(store_slot(t, &d, &two), 0, "and the same for another process");
	is_int(slot_open_index(one), -ENOENT, "no index");
	fd = slot_new_index(one);
	ok(fd >= 0 && write(fd, "first", 5) == 5, "a new one");
	is_int(slot_open_index(two), -ENOENT, "is not seen while it is made");
	is_int(slot_publish_index(one, fd), 0, "published");
	close(fd);
	fd = slot_open_index(two);
	ok(fd >= 0 && read(fd, got, 5) == 5, "it is there for all");
	is_text(got, "first", "whole");
	ok(fstat(fd, &st) == 0 && slot_has_index(one, &st), "and still is");

	/* what has no place on this disk */
	close(fd);
	fd = memfd_create("test", MFD_CLOEXEC);
	ok(fd >= 0 && write(fd, "other", 5) == 5, "another, made in memory");
	is_int(slot_publish_index(two, fd), 0, "takes the first one's place");
	ok(!slot_has_index(one, &st), "which is seen");
	close(fd);
	fd = slot_open_index(one);
	ok(fd >= 0 && read(fd, got, 5) == 5, "for all");
	is_text(got, "other", "whole too");
	close(fd);
	is_int(count_files("slots/tmp"), 0, "nothing is left in tmp/");

	is_int(slot_map(one, 130), 0, "rows");
	is_int(slot_map(two, 130), 0, "shared");
	ok(!slot_is_filled(one, 0) && !slot_is_filled(one, 129), "are empty at first");
	slot_set_filled(one, 129, 1000, 10);
	ok(slot_is_filled(two, 129), "the other sees one filled");
	slot_touch(two, 129);
	slot_touch(two, 128);
	ok(!slot_is_filled(one, 128), "a touch fills nothing");
	slot_set_filled(two, 129, 0, 0);
	ok(!slot_is_filled(one, 129), "and sees it emptied");
	slot_set_filled(one, 130, 0, 10);
	ok(!slot_is_filled(one, 130) && !slot_is_filled(one, (size_t)-1),
	   "there are no more");
	slot_set_filled(one, 7, 1000, 10);
	slot_close(two);

	ok(slot_data(one) >= 0 && pwrite(slot_data(one), "bytes", 5, 1000) == 5, "data");
	is_int(store_slot(t, &d, &two), 0, "another comes later");
	is_int(slot_map(two, 130), 0, "with rows");
	ok(slot_is_filled(two, 7), "finds what was filled");
	ok(pread(slot_data(two), got, 5, 1000) == 5 && strcmp(got, "bytes") == 0,
	   "and its bytes");
	slot_drop(two);
	is_int(slot_open_index(one), -ENOENT, "dropped");
	ok(!slot_has_index(one, &st), "so it is not any index either");
	ok(pread(slot_data(one), got, 5, 1000) == 5,
	   "whoever has the data open keeps it");
	slot_forget(one);
	ok(!slot_has_map(one), "until it is forgotten, with the rows");
	is_int(pread(slot_data(one), got, 5, 1000), 0, "for new data");
	slot_close(one);
	slot_close(two);
	slot_close(NULL);
	is_int(store_slot(t, &d, &two), 0, "later");
	is_int(slot_map(two, 130), 0, "rows");
	ok(!slot_is_filled(two, 7), "nothing is filled");
	slot_close(two);
	store_close(s);
	store_close(t);
}

/* A child that takes the lock, says so, and keeps it until it is killed. */
static pid_t lock_elsewhere(const struct digest *d)
{
	int ends[2];
	pid_t pid;
	char c;

	if (pipe(ends) < 0 || (pid = fork()) < 0)
		exit(77);
	if (pid == 0) {
		struct store *s = open_store("locks");
		struct slot *slot = NULL;

		if (store_slot(s, d, &slot) == 0 && slot_lock(slot, NULL, NULL) == 0 &&
		    write(ends[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ends[1]);
	if (read(ends[0], &c, 1) != 1)
		exit(1);
	close(ends[0]);
	return pid;
}

static void *lock_and_tell(void *arg)
{
	return slot_lock(arg, NULL, NULL) == 0 ? arg : NULL;
}

/* @d is locked by a process that does nothing. */
static void test_patience(struct store *s, const struct digest *d)
{
	struct slot *slot = NULL, *other = NULL;
	struct err e = {""};
	int fd;

	store_set_patience(s, 1);
	is_int(store_slot(s, d, &slot), 0, "a slot whose holder does nothing");
	is_int(slot_lock(slot, NULL, &e), -ETIMEDOUT, "is waited for, and not for ever");
	ok(strstr(e.text, place_path("locks")) && strstr(e.text, "/lock "), "%s", e.text);
	slot_make_private(slot);
	is_int(slot_lock(slot, NULL, NULL), 0, "a private one waits for nobody");
	fd = slot_new_index(slot);
	ok(fd >= 0 && slot_publish_index(slot, fd) == 0, "and publishes nothing");
	ok(slot_data(slot) >= 0 && slot_map(slot, 3) == 0, "but has data and rows");
	slot_drop(slot);
	slot_unlock(slot);
	is_int(store_slot(s, d, &other), 0, "the holder's own");
	is_int(slot_open_index(other), -ENOENT, "has no index of that");
	close(fd);
	slot_close(slot);
	slot_close(other);
}

static void test_lock(void)
{
	static const struct timespec pause_time = {.tv_nsec = 120000000};
	struct digest d = digest_text("locked"), e = digest_text("free");
	struct store *s = open_store("locks");
	struct slot *slot = NULL, *free_slot = NULL, *mine = NULL;
	pid_t holder = lock_elsewhere(&d);
	bool cancelled = true;
	pthread_t thread;
	void *got;

	is_int(store_slot(s, &d, &slot), 0, "a slot that another process has locked");
	is_int(slot_lock(slot, &cancelled, NULL), -EINTR,
	       "waiting for it can be called off");
	is_int(store_slot(s, &e, &free_slot), 0, "another layer");
	is_int(slot_lock(free_slot, &cancelled, NULL), 0, "is not waited for");
	test_patience(s, &d);
	kill(holder, SIGKILL);
	is_int(waitpid(holder, NULL, 0), holder, "the holder is killed");
	is_int(slot_lock(slot, NULL, NULL), 0, "and has given it up");

	is_int(store_slot(s, &d, &mine), 0, "the same layer in the same process");
	is_int(slot_lock(mine, &cancelled, NULL), -EINTR, "is locked as well");
	slot_unlock(mine);
	pthread_create(&thread, NULL, lock_and_tell, mine);
	nanosleep(&pause_time, NULL);
	slot_unlock(slot);
	pthread_join(thread, &got);
	ok(got == mine, "until it is unlocked");
	slot_close(slot);
	slot_close(mine);
	slot_close(free_slot);
	store_close(s);
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

	if (store_slot(s, &layer, &slot) < 0)
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
		if (store_slot(s, &layer, &slot) == 0) {
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
	void *bad;
	int i;

	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, put_and_get, i % 2 ? s : t);
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], &bad);
		ok(bad == NULL, "threads do not disturb each other");
	}
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
	is_int(store_slot(s, &before, &old), 0, "and a slot");
	fill_disk();
	ok(store_put_document(s, &d, "x", 1) < 0, "full: documents are not taken");
	is_int(store_get_document(s, &d, 100, &b), -ENOENT, "and not there by half");
	is_int(store_get_document(s, &before, 100, &b), 0, "what was there is");
	ok(store_put_note(s, "n", "x") < 0, "nor notes");
	is_int(count_files("small/store/tmp"), 0, "nothing is left in tmp/");
	ok(slot_map(old, 10000) < 0, "rows have no room");
	slot_set_filled(old, 9999, 0, 1);
	ok(!slot_is_filled(old, 9999), "and without them nothing is filled");
	ok(!store_make_room(s, 1 << 20), "no room can be made");
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
	is_int(store_slot(s, &d, &slot), 0,
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
	test_documents();
	test_notes();
	test_private();
	test_slot();
	if (!getenv("OOM_SITE")) { /* tests/unit/oom counts in one process */
		test_lock();
		test_kill();
	}
	test_clean_tmp();
	test_threads();
	test_full_disk();
	return test_done();
}
