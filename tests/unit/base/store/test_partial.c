/* SPDX-License-Identifier: MIT */
#include "base/store/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/store/layers.h"
#include "base/store/room.h"
#include "base/store/slot.h"
#include "tests/unit/base/store/stores.h"

#define SIZE  3000000
#define PIECE 100000

static unsigned char blob[SIZE];

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	printf("Bail out! %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void fill_blob(void)
{
	size_t i;

	for (i = 0; i < SIZE; i++)
		blob[i] = (unsigned char)(i * 11 + i / 253);
}

static struct slot *open_slot(struct store *s, const char *name)
{
	struct digest d = digest_text(name);
	struct slot *slot = NULL;

	must(slot_open(s, &d, &slot), "a slot");
	return slot;
}

static struct partial *open_partial(struct slot *slot)
{
	struct partial *p = NULL;

	must(partial_open(slot, SIZE, &p), "a partial");
	return p;
}

/* A file of the layer @name's. */
static const char *stored(const char *store, const char *name, const char *file)
{
	struct digest d = digest_text(name);
	char path[300], hex[DIGEST_TEXT_MAX];

	snprintf(path, sizeof(path), "%s/layers/sha256/%s/%s", store, digest_hex(&d, hex),
		 file);
	return place_path(path);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : st.st_size;
}

/* The first @len bytes of the blob, as an interrupted pass leaves them. */
static void leave(struct store *s, const char *name, size_t len)
{
	struct slot *slot = open_slot(s, name);
	struct partial *p = open_partial(slot);

	is_int(partial_append(p, blob, len, 0), 0, "%zu bytes are left", len);
	partial_close(p);
	slot_close(slot);
}

/* As if the last byte had come @minutes ago. */
static void set_age(const char *path, int minutes)
{
	struct timespec times[2];

	times[0] = (struct timespec){.tv_sec = time(NULL) - 60 * minutes};
	times[1] = times[0];
	must(utimensat(AT_FDCWD, path, times, 0) < 0 ? -errno : 0, "a time");
}

static void test_kept(void)
{
	static unsigned char got[SIZE];
	struct store *s = open_store("kept");
	struct slot *slot = open_slot(s, "layer");
	struct partial *p = open_partial(slot);
	size_t at;
	int rc = 0;

	is_int(partial_kept(p), 0, "nothing is kept at first");
	for (at = 0; rc == 0 && at < 15 * PIECE; at += PIECE)
		rc = partial_append(p, blob + at, PIECE, at);
	is_int(rc, 0, "half of a blob");
	partial_close(p);
	is_int(size_of(stored("kept", "layer", "partial")), 15 * PIECE, "is in the file");

	p = open_partial(slot);
	is_int(partial_kept(p), 15 * PIECE, "and kept");
	is_int(partial_read(p, got, SIZE, 0), 15 * PIECE, "read");
	ok(memcmp(got, blob, 15 * PIECE) == 0, "right");
	is_int(partial_read(p, got, 10, 15 * PIECE), 0, "to the end");
	is_int(partial_append(p, blob, PIECE, 0), 0, "what is there already");
	is_int(partial_append(p, blob + 14 * PIECE + 7, PIECE, 14 * PIECE + 7), 0,
	       "in part");
	is_int(size_of(stored("kept", "layer", "partial")), 15 * PIECE + 7, "is skipped");
	is_int(partial_append(p, blob, 10, 16 * PIECE), -EINVAL, "no gap");
	is_int(partial_append(p, blob + 15 * PIECE + 7, SIZE - 15 * PIECE - 7,
			      15 * PIECE + 7),
	       0, "the rest");
	is_int(partial_read(p, got, SIZE, 0), SIZE, "is all");
	ok(memcmp(got, blob, SIZE) == 0, "of the blob");
	partial_close(p);

	must(truncate(stored("kept", "layer", "partial"), SIZE + 1), "truncate");
	p = open_partial(slot);
	is_int(partial_kept(p), 0, "one that is too long is nothing");
	is_int(size_of(stored("kept", "layer", "partial")), 0, "and begins anew");
	partial_close(p);
	slot_close(slot);
	store_close(s);
}

static void test_given_up(void)
{
	struct store *s = open_store("gone");
	struct slot *slot = open_slot(s, "layer");
	struct partial *p = open_partial(slot);
	char got[10];

	is_int(partial_append(p, blob, PIECE, 0), 0, "bytes");
	ok(partial_give_up(p), "are given up");
	ok(!partial_give_up(p) && !partials_give_up(s), "once");
	is_int(size_of(stored("gone", "layer", "partial")), -1, "the file is gone");
	is_int(partial_append(p, blob + PIECE, PIECE, PIECE), 0, "more is ignored");
	is_int(partial_read(p, got, 10, 0), 0, "nothing can be read");
	partial_close(p);
	is_int(size_of(stored("gone", "layer", "partial")), -1, "nor comes back");
	ok(!partial_give_up(NULL) && partial_kept(NULL) == 0, "none is fine");
	is_int(partial_append(NULL, blob, 1, 0), 0, "and takes everything");
	store_keep_partial(s, NULL, blob, PIECE, 0);
	partial_close(NULL);

	/* the index has a name: only then it has served its purpose */
	leave(s, "layer", PIECE);
	slot_drop(slot);
	is_int(size_of(stored("gone", "layer", "partial")), PIECE,
	       "it does not belong to an index that is damaged");
	is_int(slot_publish_index(slot, slot_new_index(slot)), 0, "a new index");
	is_int(size_of(stored("gone", "layer", "partial")), -1, "removes it");
	slot_close(slot);
	store_close(s);
}

static void test_none(void)
{
	struct store *s = open_store("none");
	struct slot *slot = open_slot(s, "layer"), *same;
	struct partial *p = NULL, *mine;

	ok(partial_open(slot, 250000, &p) < 0 && !p, "not for a small blob");
	mine = open_partial(slot);
	same = open_slot(s, "layer");
	ok(partial_open(same, SIZE, &p) < 0 && !p, "not for two at once");
	slot_close(same);
	partial_close(mine);
	must(unlink(stored("none", "layer", "partial")), "unlink");
	must(mkdir(stored("none", "layer", "partial"), 0700), "mkdir");
	ok(partial_open(slot, SIZE, &p) < 0 && !p, "not where it has no place");
	is_int(store_trouble(s, NULL), 0, "which is no trouble");
	slot_make_private(slot);
	ok(partial_open(slot, SIZE, &p) < 0 && !p, "not for a private layer");
	slot_close(slot);
	store_keep_no_data(s);
	slot = open_slot(s, "other");
	ok(partial_open(slot, SIZE, &p) < 0 && !p, "not if only indexes are kept");
	slot_close(slot);
	store_close(s);
}

static struct slot_info seen;

static int see(void *arg, const struct slot_info *info)
{
	(*(unsigned *)arg)++;
	seen = *info;
	return 0;
}

static unsigned list(struct store *s)
{
	unsigned n = 0;

	seen = (struct slot_info){0};
	is_int(store_list(s, see, &n), 0, "a list");
	return n;
}

static void test_list_and_prune(void)
{
	struct store *s = open_store("pruned");
	struct slot *slot;
	struct partial *p;
	uint64_t freed = 0;

	leave(s, "one", SIZE);
	is_int(list(s), 1, "a layer with nothing but a partial is listed");
	ok(seen.partial_bytes >= SIZE && seen.data_bytes == 0 && seen.index_bytes == 0,
	   "with its bytes");
	ok(seen.last_read + 120 > (uint64_t)time(NULL), "and its time");
	is_int(store_prune(s, 1u << 30, &freed, NULL), 0, "prune to a large size");
	is_int(size_of(stored("pruned", "one", "partial")), SIZE, "leaves it");

	slot = open_slot(s, "one");
	p = open_partial(slot);
	is_int(store_prune(s, 0, &freed, NULL), 0, "prune");
	is_int(size_of(stored("pruned", "one", "partial")), SIZE,
	       "leaves what is being used");
	partial_close(p);
	slot_close(slot);

	leave(s, "two", SIZE);
	set_age(stored("pruned", "one", "partial"), 5);
	is_int(store_prune(s, SIZE + PIECE, &freed, NULL), 0, "prune to one of two");
	is_int(size_of(stored("pruned", "one", "partial")), -1, "removes the older");
	is_int(size_of(stored("pruned", "two", "partial")), SIZE, "and not the other");
	ok(freed >= SIZE && freed < SIZE + PIECE, "%llu bytes are gained",
	   (unsigned long long)freed);
	is_int(store_prune(s, 0, &freed, NULL), 0, "prune to nothing");
	ok(freed >= SIZE && size_of(stored("pruned", "two", "partial")) == -1,
	   "removes that too");
	is_int(list(s), 0, "and no layer is left");
	store_close(s);
}

/* A layer with @n spans of a piece each, read just now. */
static void put_spans(struct store *s, const char *name, size_t n)
{
	struct slot *slot = open_slot(s, name);
	size_t i;

	must(slot_data(slot), "data");
	must(slot_map(slot, n), "rows");
	for (i = 0; i < n; i++) {
		must(pwrite(slot_data(slot), blob, PIECE, (off_t)(i * PIECE)) == PIECE
			     ? 0
			     : -EIO,
		     "a span");
		slot_set_filled(slot, i, i * PIECE, PIECE);
	}
	slot_close(slot);
}

static void test_order(void)
{
	struct store *s = open_store("order");
	uint64_t freed = 0;

	put_spans(s, "spans", 30);
	leave(s, "blob", SIZE);
	set_age(stored("order", "blob", "partial"), 5);
	is_int(store_prune(s, 30 * PIECE + PIECE, &freed, NULL), 0, "prune to a half");
	is_int(size_of(stored("order", "blob", "partial")), -1,
	       "a partial that is older than spans goes first");
	leave(s, "blob", SIZE);
	set_age(stored("order", "blob", "partial"), -5);
	is_int(store_prune(s, 30 * PIECE + PIECE, &freed, NULL), 0, "prune to a half");
	is_int(size_of(stored("order", "blob", "partial")), SIZE,
	       "one that is younger stays");
	ok(freed >= 25 * PIECE, "and the spans go");
	store_close(s);
}

/* Decoded bytes are worth more, and nobody is warned. */
static void test_gives_way(void)
{
	struct store *s = open_store("full");
	struct slot *slot = open_slot(s, "layer");
	struct partial *p;

	store_set_limit(s, SIZE + 10 * PIECE);
	p = open_partial(slot);
	store_keep_partial(s, p, blob, 5 * PIECE, 0);
	is_int(size_of(stored("full", "layer", "partial")), 5 * PIECE, "both fit");
	ok(store_keep(s, slot_data(slot), blob, SIZE, 0), "for a while");
	is_int(size_of(stored("full", "layer", "partial")), 5 * PIECE, "at least");
	ok(store_keep(s, slot_data(slot), blob, 7 * PIECE, SIZE), "the data still fits");
	is_int(size_of(stored("full", "layer", "partial")), -1, "and the partial goes");
	partial_close(p);

	p = open_partial(slot);
	store_keep_partial(s, p, blob, 5 * PIECE, 0);
	ok(size_of(stored("full", "layer", "partial")) == -1, "a new one does not fit");
	is_int(store_trouble(s, NULL), 0, "none of which is trouble");
	partial_close(p);
	slot_close(slot);
	store_close(s);
}

/* The disk is full before the limit is reached. */
static void test_small_disk(void)
{
	struct store *s;
	struct slot *slot;
	struct partial *p;

	if (!place_small_disk(place_path("disk"), "4M"))
		return;
	s = open_store("disk/store");
	slot = open_slot(s, "layer");
	p = open_partial(slot);
	store_keep_partial(s, p, blob, 20 * PIECE, 0);
	is_int(size_of(stored("disk/store", "layer", "partial")), 20 * PIECE, "a part");
	ok(store_keep(s, slot_data(slot), blob, SIZE, 0), "data that needs its place");
	is_int(size_of(stored("disk/store", "layer", "partial")), -1, "gets it");
	is_int(store_trouble(s, NULL), 0, "and that is no trouble");
	partial_close(p);
	slot_close(slot);
	store_close(s);
}

int main(void)
{
	place_make();
	fill_blob();
	test_kept();
	test_given_up();
	test_none();
	test_list_and_prune();
	test_order();
	test_gives_way();
	test_small_disk();
	return test_done();
}
