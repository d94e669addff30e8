/* SPDX-License-Identifier: MIT */
/* A layer's place in a lower store: its index, its rows, and the lock on its data. */
#include "base/store/lower_slot.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/store/layers.h"
#include "base/store/lower.h"
#include "base/store/slot.h"
#include "tests/unit/base/store/stores.h"

static struct digest layer;

static void publish(struct slot *sl, const char *text)
{
	int fd = slot_new_index(sl);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || slot_publish_index(sl, fd) < 0)
		exit(77);
	close(fd);
}

/* Makes the store @name, with an index and, if @has_data, a span. */
static void fill(const char *name, bool has_data)
{
	struct store *s = open_store(name);
	struct slot *sl = NULL;

	if (slot_open(s, &layer, &sl) < 0)
		exit(77);
	publish(sl, name);
	if (has_data) {
		if (pwrite(slot_data(sl), "bytes", 5, 100) != 5 || slot_map(sl, 10) < 0)
			exit(77);
		slot_set_word(sl, 3, 77);
		slot_set_filled(sl, 3, 100, 5);
	}
	slot_close(sl);
	store_close(s);
}

static bool index_is(int fd, const char *text)
{
	char got[32] = "";
	bool is = fd >= 0 && read(fd, got, sizeof(got) - 1) >= 0 &&
		  strcmp(got, text) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

static struct store *above(const char *name, const char *lower)
{
	struct store *s = open_store(name);

	if (store_add_lower(s, place_path(lower), NULL) < 0)
		exit(77);
	return s;
}

static void test_reading(void)
{
	struct digest other = digest_text("other");
	struct lower_slot *ls = NULL;
	struct store *s;
	char got[6] = "";

	fill("low", true);
	s = above("own", "low");
	is_int(lower_slot_open(s, 0, &other, &ls), -ENOENT, "a layer that is not there");
	is_int(store_find_index(s, &other), -ENOENT, "nor its index");
	is_int(lower_slot_open(s, 0, &layer, &ls), 0, "one that is");
	ok(index_is(lower_slot_open_index(ls), "low"), "its index");
	ok(index_is(store_find_index(s, &layer), "low"), "which is found");
	is_int(lower_slot_open_data(ls), 0, "its data");
	ok(lower_slot_is_held(ls), "held");
	ok(lower_slot_has(ls, 3, 100, 5), "a span");
	ok(!lower_slot_has(ls, 2, 100, 5) && !lower_slot_has(ls, 10, 100, 5) &&
		   !lower_slot_has(ls, (size_t)-1, 100, 5),
	   "and no other");
	ok(!lower_slot_has(ls, 3, 101, 5) && !lower_slot_has(ls, 3, 100, 4),
	   "nor at another place");
	is_int(lower_slot_word(ls, 3), 77, "its word");
	ok(pread(lower_slot_data(ls), got, 5, 100) == 5 && strcmp(got, "bytes") == 0,
	   "its bytes");
	ok(write(lower_slot_data(ls), "x", 1) < 0, "which cannot be written");
	lower_slot_close(ls);
	lower_slot_close(NULL);
	store_close(s);
	is_int(access(place_path("own/layers"), F_OK), -1, "nothing was created");
}

static void test_lock(void)
{
	struct lower_slot *ls = NULL;
	struct store *s, *owner;
	uint64_t freed = 1;

	fill("locked", true);
	owner = open_store("locked");
	s = above("own2", "locked");
	is_int(lower_slot_open(s, 0, &layer, &ls), 0, "a slot");
	is_int(lower_slot_open_data(ls), 0, "its data");
	ok(lower_slot_is_held(ls), "held");
	is_int(store_prune(owner, 0, &freed, NULL), 0, "the owner prunes");
	is_int(freed, 0, "and frees nothing");
	ok(lower_slot_has(ls, 3, 100, 5), "the span is there");
	lower_slot_close(ls);
	is_int(store_prune(owner, 0, &freed, NULL), 0, "again");
	ok(freed > 0, "when nobody reads it");
	is_int(lower_slot_open(s, 0, &layer, &ls), 0, "the slot is there");
	is_int(lower_slot_open_index(ls), -ENOENT, "its index is not");
	is_int(lower_slot_open_data(ls), -ENOENT, "nor its data");
	lower_slot_close(ls);
	store_close(owner);
	store_close(s);
}

static void test_damage(void)
{
	struct lower_slot *ls = NULL;
	struct store *s, *owner;
	struct slot *sl = NULL;

	fill("worn", false);
	s = above("own3", "worn");
	is_int(lower_slot_open(s, 0, &layer, &ls), 0, "a slot");
	ok(index_is(lower_slot_open_index(ls), "worn"), "its index");
	lower_slot_note_damage(ls);
	is_int(lower_slot_open_index(ls), -ENOENT, "is not used once it is damaged");
	lower_slot_close(ls);
	is_int(store_find_index(s, &layer), -ENOENT, "nor is it found");
	owner = open_store("worn");
	is_int(slot_open(owner, &layer, &sl), 0, "its owner");
	publish(sl, "new");
	ok(index_is(store_find_index(s, &layer), "new"), "replaces it");
	slot_close(sl);
	store_close(owner);
	store_close(s);
}

static void test_adopt(void)
{
	struct store *s = open_store("adopts"), *t = open_store("adopts");
	struct slot *one = NULL, *two = NULL;
	int fd;

	fill("from", true);
	is_int(store_add_lower(s, place_path("from"), NULL), 0, "a store");
	fd = store_find_index(s, &layer);
	is_int(slot_open(s, &layer, &one), 0, "a slot above it");
	is_int(slot_open(t, &layer, &two), 0, "and one of another process");
	is_int(slot_lock(two, NULL, NULL), 0, "which is locked");
	is_int(slot_adopt_index(one, fd), -EBUSY, "is waited for by nobody");
	slot_unlock(two);
	is_int(slot_adopt_index(one, fd), 0, "the index is copied");
	ok(slot_has_index(one) && index_is(slot_open_index(one), "from"), "whole");
	is_int(slot_adopt_index(two, fd), 0, "the same for the other");
	publish(two, "mine");
	is_int(slot_adopt_index(one, fd), -EEXIST, "another one is left alone");
	ok(index_is(slot_open_index(two), "mine"), "as it is");
	slot_close(one);
	slot_close(two);
	close(fd);
	store_close(s);
	store_close(t);
}

int main(void)
{
	place_make();
	layer = digest_text("layer");
	test_reading();
	if (!getenv("OOM_SITE")) { /* as in test_slot.c */
		test_lock();
		test_damage();
		test_adopt();
	}
	return test_done();
}
