/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/store/slot.h"
#include "tests/unit/base/store/stores.h"

static void test_slot(void)
{
	struct store *s = open_store("slots"), *t = open_store("slots");
	struct digest d = digest_text("layer");
	struct slot *one = NULL, *two = NULL;
	char got[6] = "";
	int fd;

	is_int(slot_open(s, &d, &one), 0, "a slot");
	is_int(slot_open(t, &d, &two), 0, "and the same for another process");
	is_int(slot_open_index(one), -ENOENT, "no index");
	fd = slot_new_index(one);
	ok(fd >= 0 && write(fd, "first", 5) == 5, "a new one");
	is_int(slot_open_index(two), -ENOENT, "is not seen while it is made");
	is_int(slot_publish_index(one, fd), 0, "published");
	close(fd);
	fd = slot_open_index(two);
	ok(fd >= 0 && read(fd, got, 5) == 5, "it is there for all");
	is_text(got, "first", "whole");
	ok(slot_has_index(one) && slot_has_index(two), "and still is");

	/* what has no place on this disk */
	close(fd);
	fd = memfd_create("test", MFD_CLOEXEC);
	ok(fd >= 0 && write(fd, "other", 5) == 5, "another, made in memory");
	is_int(slot_publish_index(two, fd), 0, "takes the first one's place");
	ok(!slot_has_index(one) && slot_has_index(two), "which is seen");
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
	is_int(slot_open(t, &d, &two), 0, "another comes later");
	fd = slot_open_index(two);
	close(fd);
	is_int(slot_map(two, 130), 0, "with rows");
	ok(slot_is_filled(two, 7), "finds what was filled");
	ok(pread(slot_data(two), got, 5, 1000) == 5 && strcmp(got, "bytes") == 0,
	   "and its bytes");
	slot_drop(two);
	is_int(slot_open_index(one), -ENOENT, "dropped");
	ok(!slot_has_index(one), "so it is not any index either");
	ok(pread(slot_data(one), got, 5, 1000) == 5,
	   "whoever has the data open keeps it");
	slot_forget(one);
	ok(!slot_has_map(one), "until it is forgotten, with the rows");
	is_int(pread(slot_data(one), got, 5, 1000), 0, "for new data");
	slot_close(one);
	slot_close(two);
	slot_close(NULL);
	is_int(slot_open(t, &d, &two), 0, "later");
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

		if (slot_open(s, d, &slot) == 0 && slot_lock(slot, NULL, NULL) == 0 &&
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

/* An index of one letter. */
static bool publish(struct slot *slot, const char *letter)
{
	int fd = slot_new_index(slot);
	bool is = fd >= 0 && write(fd, letter, 1) == 1 &&
		  slot_publish_index(slot, fd) == 0;

	close(fd);
	return is;
}

static bool publish_elsewhere(const struct digest *d, const char *letter)
{
	struct slot *slot = NULL;
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(slot_open(open_store("locks"), d, &slot) < 0 ||
		      slot_lock(slot, NULL, NULL) < 0 || !publish(slot, letter));
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static char letter_of(struct slot *slot)
{
	int fd = slot_open_index(slot);
	char c = '-';

	if (fd >= 0 && read(fd, &c, 1) == 1)
		close(fd);
	return c;
}

/* A damaged index is dropped, but not what another process has put in its place. */
static void test_drop(void)
{
	struct digest d = digest_text("dropped");
	struct store *s = open_store("locks");
	struct slot *slot = NULL, *other = NULL;
	pid_t holder;

	is_int(slot_open(s, &d, &slot), 0, "a slot");
	is_int(slot_open(s, &d, &other), 0, "and a look at it");
	ok(publish(slot, "a"), "with an index");
	slot_drop(slot);
	is_int(letter_of(other), '-', "the index that was opened is dropped");
	ok(publish(slot, "b") && publish_elsewhere(&d, "c"),
	   "one is replaced by another process");
	slot_drop(slot);
	is_int(letter_of(other), 'c', "a newer one is not");
	is_int(letter_of(slot), 'c', "it is opened");
	holder = lock_elsewhere(&d);
	slot_drop(slot);
	is_int(letter_of(other), 'c', "and left to the process that has the lock");
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	slot_drop(slot);
	is_int(letter_of(other), '-', "until it is gone");
	ok(publish(other, "d"), "a last one");
	is_int(slot_lock(slot, NULL, NULL), 0, "with the lock");
	slot_drop(slot);
	is_int(letter_of(other), '-', "everything is dropped");
	slot_close(slot);
	slot_close(other);
	store_close(s);
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
	is_int(slot_open(s, d, &slot), 0, "a slot whose holder does nothing");
	is_int(slot_lock(slot, NULL, &e), -ETIMEDOUT, "is waited for, and not for ever");
	ok(strstr(e.text, place_path("locks")) && strstr(e.text, "/lock "), "%s", e.text);
	slot_make_private(slot);
	is_int(slot_lock(slot, NULL, NULL), 0, "a private one waits for nobody");
	fd = slot_new_index(slot);
	ok(fd >= 0 && slot_publish_index(slot, fd) == 0, "and publishes nothing");
	ok(slot_data(slot) >= 0 && slot_map(slot, 3) == 0, "but has data and rows");
	slot_drop(slot);
	slot_unlock(slot);
	is_int(slot_open(s, d, &other), 0, "the holder's own");
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

	is_int(slot_open(s, &d, &slot), 0, "a slot that another process has locked");
	is_int(slot_lock(slot, &cancelled, NULL), -EINTR,
	       "waiting for it can be called off");
	is_int(slot_open(s, &e, &free_slot), 0, "another layer");
	is_int(slot_lock(free_slot, &cancelled, NULL), 0, "is not waited for");
	test_patience(s, &d);
	kill(holder, SIGKILL);
	is_int(waitpid(holder, NULL, 0), holder, "the holder is killed");
	is_int(slot_lock(slot, NULL, NULL), 0, "and has given it up");

	is_int(slot_open(s, &d, &mine), 0, "the same layer in the same process");
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

int main(void)
{
	place_make();
	test_slot();
	if (!getenv("OOM_SITE")) { /* tests/unit/oom counts in one process */
		test_lock();
		test_drop();
	}
	return test_done();
}
