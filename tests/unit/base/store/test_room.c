/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>

#include "base/err.h"
#include "base/store/layers.h"
#include "base/store/room.h"
#include "base/store/slot.h"
#include "base/store/store.h"
#include "base/store/internal.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

#define SPAN 100000 /* bytes, not whole pages */

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	printf("Bail out! %s: %s\n", what, strerror(-rc));
	exit(1);
}

static struct store *open_store(const char *name)
{
	struct store *s = NULL;

	must(store_open(place_path(name), &s, NULL), "a store");
	return s;
}

static struct digest digest_of_number(unsigned i)
{
	struct digest d;

	must(digest_of(DIGEST_SHA256, &i, sizeof(i), &d), "a digest");
	return d;
}

static unsigned char byte_of(unsigned layer, unsigned span)
{
	return (unsigned char)(1 + (layer * 31 + span) % 255);
}

/* A file of layer @i's. */
static const char *stored(unsigned i, const char *file)
{
	struct digest d = digest_of_number(i);
	char name[300], hex[DIGEST_TEXT_MAX];

	snprintf(name, sizeof(name), "store/layers/sha256/%s/%s", digest_hex(&d, hex),
		 file);
	return place_path(name);
}

/* Layer number @i with @n spans, all there; left open. */
static struct slot *put_layer(struct store *s, unsigned i, unsigned n)
{
	static unsigned char bytes[SPAN];
	struct digest d = digest_of_number(i);
	struct slot *slot = NULL;
	unsigned k;
	int fd;

	must(slot_open(s, &d, &slot), "a slot");
	fd = slot_new_index(slot);
	must(fd < 0 || write(fd, "index", 5) != 5 ? -EIO : slot_publish_index(slot, fd),
	     "index");
	close(fd);
	must(slot_data(slot), "data");
	must(slot_map(slot, n), "rows");
	for (k = 0; k < n; k++) {
		memset(bytes, byte_of(i, k), SPAN);
		must(pwrite(slot_data(slot), bytes, SPAN, (off_t)k * SPAN) == SPAN ? 0
										   : -EIO,
		     "");
		slot_set_filled(slot, k, (uint64_t)k * SPAN, SPAN);
	}
	return slot;
}

/* As if it had been read @minutes ago. */
static void make_old(unsigned i, unsigned span, unsigned minutes)
{
	int fd = open(stored(i, "spans"), O_RDWR);
	struct slot_row row;
	off_t at = (off_t)(span * sizeof(row));

	must(fd < 0 || pread(fd, &row, sizeof(row), at) != sizeof(row) ? -EIO : 0,
	     "a row");
	row.used -= minutes;
	must(pwrite(fd, &row, sizeof(row), at) == sizeof(row) ? 0 : -EIO, "a row");
	close(fd);
}

/* How many spans are there; -1 if one is not what it should be. */
static int count_spans(struct store *s, unsigned i, unsigned n)
{
	static unsigned char bytes[SPAN];
	struct digest d = digest_of_number(i);
	struct slot *slot = NULL;
	int there = 0;
	unsigned k;

	must(slot_open(s, &d, &slot), "a slot");
	must(slot_data(slot), "data");
	must(slot_map(slot, n), "rows");
	for (k = 0; k < n && there >= 0; k++) {
		if (!slot_is_filled(slot, k))
			continue;
		there++;
		if (pread(slot_data(slot), bytes, SPAN, (off_t)k * SPAN) != SPAN ||
		    bytes[0] != byte_of(i, k) || memcmp(bytes, bytes + 1, SPAN - 1))
			there = -1;
	}
	slot_close(slot);
	return there;
}

struct seen {
	unsigned n, in_use, n_indexes;
	uint64_t data, last_read;
};

static int see(void *arg, const struct slot_info *info)
{
	struct seen *seen = arg;

	seen->n++;
	seen->in_use += info->in_use;
	seen->n_indexes += info->index_bytes > 0;
	seen->data += info->data_bytes;
	if (info->last_read > seen->last_read)
		seen->last_read = info->last_read;
	return seen->n == 1000 ? -EDOM : 0;
}

static struct seen look(struct store *s)
{
	struct seen seen = {0};

	is_int(store_list(s, see, &seen), 0, "a list");
	return seen;
}

/* Spans are good although the clock was set back since they were read. */
static void test_clock(void)
{
	struct store *s = open_store("store");
	struct slot *slot = put_layer(s, 1, 4);
	uint64_t freed = 0;

	make_old(1, 2, (unsigned)-60);
	ok(slot_is_filled(slot, 2), "a span of the future is there");
	ok(slot_is_sound(slot, 2, 2 * SPAN, SPAN), "and sound");
	ok(!slot_is_sound(slot, 2, 2 * SPAN + 1, SPAN), "at its place alone");
	slot_touch(slot, 2);
	ok(look(s).last_read < (uint64_t)time(NULL) + 60, "once read, it is of now");
	slot_close(slot);
	is_int(store_prune(s, 0, &freed, NULL), 0, "and gone when everything is");
	store_close(s);
}

static void test_prune(void)
{
	struct store *s = open_store("store");
	struct slot *open_slot;
	struct seen seen;
	struct err e = {""};
	uint64_t freed = 99;
	unsigned k;

	is_int(store_prune(s, 0, &freed, &e), 0, "nothing to prune");
	is_int(freed, 0, "gains nothing");
	slot_close(put_layer(s, 1, 10));
	slot_close(put_layer(s, 2, 10));
	open_slot = put_layer(s, 3, 10);
	for (k = 0; k < 5; k++)
		make_old(1, 2 * k, 100);
	make_old(2, 3, 200);
	for (k = 0; k < 10; k++)
		make_old(3, k, 300);

	seen = look(s);
	is_int(seen.n, 3, "three layers");
	is_int(seen.in_use, 1, "one is in use");
	is_int(seen.n_indexes, 3, "each has an index");
	ok(seen.data >= 30 * SPAN && seen.data < 40 * SPAN, "so many bytes");
	ok(seen.last_read + 120 > (uint64_t)time(NULL), "just read");

	is_int(store_prune(s, UINT64_MAX, &freed, &e), 0, "pruned to what it may have");
	is_int(freed, 0, "nothing goes");
	is_int(store_prune(s, seen.data - 3 * SPAN, &freed, &e), 0, "a bit less");
	ok(freed >= 3 * SPAN && freed < 5 * SPAN, "a bit goes: %llu",
	   (unsigned long long)freed);
	is_int(count_spans(s, 2, 10), 9, "the oldest span first");
	ok(count_spans(s, 1, 10) >= 7 && count_spans(s, 1, 10) < 9,
	   "then those of the next layer");
	is_int(count_spans(s, 3, 10), 10, "nothing of one that is open");
	is_int(store_prune(s, seen.data - 5 * SPAN, &freed, &e), 0, "some more");
	is_int(count_spans(s, 1, 10), 5, "the old ones are gone");
	is_int(count_spans(s, 2, 10), 9, "the new ones are not");

	is_int(store_prune(s, 1, &freed, &e), 0, "all that can go");
	is_int(count_spans(s, 1, 10) + count_spans(s, 2, 10), 0, "goes");
	is_int(count_spans(s, 3, 10), 10, "but what is open");
	is_int(look(s).n_indexes, 1, "with the indexes of the others");
	is_int(store_prune(s, 0, &freed, &e), 0, "once more");
	seen = look(s);
	is_int(seen.n, 1, "but what is open");
	is_int(count_spans(s, 3, 10), 10, "to the last byte");
	slot_close(open_slot);
	is_int(store_prune(s, 0, &freed, &e), 0, "now it is not");
	ok(freed >= 10 * SPAN, "and goes");
	is_int(look(s).n, 0, "nothing is left");
	store_close(s);
}

/* One run is enough, though holes between spans free only whole pages. */
static void test_prune_once(void)
{
	struct store *s = open_store("store");
	uint64_t freed = 0, keep;
	unsigned k;

	slot_close(put_layer(s, 1, 60));
	for (k = 0; k < 60; k += 2)
		make_old(1, k, 100);
	keep = look(s).data - 29 * SPAN;
	is_int(store_prune(s, keep, &freed, NULL), 0, "pruned of 29 spans");
	ok(look(s).data <= keep && look(s).data > keep - 2 * SPAN,
	   "they are gone, and not many more");
	is_int(look(s).n_indexes, 1, "the index stays");
	is_int(store_prune(s, 0, &freed, NULL), 0, "until all goes");
	store_close(s);
}

/* What a kill leaves: data that no row speaks of, with or without an index. */
static void test_left_behind(void)
{
	struct store *s = open_store("store");
	struct slot *busy;
	uint64_t freed = 0;
	unsigned k;

	slot_close(put_layer(s, 4, 10));
	must(unlink(stored(4, "spans")), "unlink");
	must(unlink(stored(4, "index")), "unlink");
	slot_close(put_layer(s, 5, 10));
	for (k = 0; k < 10; k++) {
		struct digest d = digest_of_number(5);
		struct slot *slot = NULL;

		must(slot_open(s, &d, &slot), "a slot");
		must(slot_map(slot, 10), "rows");
		slot_set_filled(slot, k, 0, 0);
		slot_close(slot);
	}
	busy = put_layer(s, 6, 10);
	must(unlink(stored(6, "spans")), "unlink");
	ok(look(s).data >= 30 * SPAN, "a lot is left behind");
	is_int(store_prune(s, 12 * SPAN, &freed, NULL), 0, "pruned");
	ok(look(s).data < 12 * SPAN, "it goes");
	ok(freed >= 20 * SPAN, "and is counted");
	is_int(look(s).in_use, 1, "but not what is in use");
	slot_close(busy);
	is_int(store_prune(s, 0, &freed, NULL), 0, "until it is not");
	is_int(look(s).n, 0, "nothing is left");
	store_close(s);
}

static void test_limit(void)
{
	struct store *s = open_store("store");
	struct slot *mine;

	slot_close(put_layer(s, 7, 20));
	make_old(7, 4, 50);
	mine = put_layer(s, 8, 10);
	store_set_limit(s, 100 * SPAN);
	is_int(store_make_room(s, 50 * SPAN), 0, "room for more");
	is_int(count_spans(s, 7, 20), 20, "nothing has to go");
	store_set_limit(s, 35 * SPAN);
	store_close(s);
	s = open_store("store"); /* counts anew */
	store_set_limit(s, 32 * SPAN);
	is_int(store_make_room(s, 5 * SPAN), 0, "room is made");
	ok(count_spans(s, 7, 20) < 20 && count_spans(s, 7, 20) > 5,
	   "by a tenth or so: %d left", count_spans(s, 7, 20));
	is_int(count_spans(s, 8, 10), 10, "not from what is open");
	is_int(store_make_room(s, 50 * SPAN), -ENOSPC, "more than the limit is too much");
	slot_close(mine);
	store_close(s);
}

/* As many layers as a long life brings, and few descriptors. */
static void test_many(void)
{
	struct store *s = open_store("store");
	struct rlimit few = {40, 40};
	uint64_t freed = 0;
	unsigned i, wrong = 0;

	is_int(store_prune(s, 0, &freed, NULL), 0, "from the beginning");
	for (i = 100; i < 160; i++) {
		slot_close(put_layer(s, i, 2));
		make_old(i, 0, 10);
	}
	if (setrlimit(RLIMIT_NOFILE, &few) < 0)
		exit(77);
	is_int(store_prune(s, 61 * SPAN, &freed, NULL), 0, "60 layers, 40 descriptors");
	ok(freed >= 59 * SPAN && freed < 75 * SPAN, "half goes: %llu",
	   (unsigned long long)freed);
	for (i = 100; i < 160; i++)
		wrong += count_spans(s, i, 2) < 0;
	is_int(wrong, 0, "and what is left is right");
	is_int(store_prune(s, 0, &freed, NULL), 0, "all");
	is_int(look(s).n, 0, "goes");
	store_close(s);
}

static void test_private(void)
{
	struct store *s = NULL;
	uint64_t freed = 99;

	must(store_open_private(&s, NULL), "a private store");
	is_int(store_make_room(s, 1ull << 50), 0, "has no limit");
	is_int(store_prune(s, 0, &freed, NULL), 0, "nothing to prune");
	is_int(freed, 0, "at all");
	is_int(look(s).n, 0, "and nothing to list");
	store_close(s);
}

int main(void)
{
	place_make();
	test_clock();
	test_prune();
	test_prune_once();
	test_left_behind();
	test_limit();
	test_private();
	test_many();
	return test_done();
}
