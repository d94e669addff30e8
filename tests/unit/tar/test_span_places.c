/* SPDX-License-Identifier: MIT */
/* Whole layers of each kind above a store that has them, or a part of them. */
#include "tar/span_places.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/store/lower.h"
#include "tar/audit.h"
#include "tests/unit/tar/layers.h"

static struct store *open_above(const char *name, const char *lower)
{
	struct store *s = open_store(name);

	must(store_add_lower(s, place_path(lower), NULL), "a lower store");
	return s;
}

/* A store that has the layer with all its data. */
static void fill(const char *name, const struct form *f)
{
	struct store *s = open_store(name);
	struct layer *l;
	struct blob b;

	must(load_form(s, f, &b, &l, NULL), "loading");
	must(all_is_right(l, false) ? 0 : -EBADMSG, "reading");
	layer_free(l);
	store_close(s);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void say_damage(void *arg, const char *sentence)
{
	(void)arg;
	printf("# %s\n", sentence);
}

static void check_whole(const char *name, const struct form *f)
{
	struct audit a = {.on_bad = say_damage};
	struct store *s = open_store(name);

	is_int(audit_layer(&a, s, &f->digest), 0, "the store is checked");
	ok(a.bad == 0 && a.bytes == plain.len, "it has all, and all is right");
	store_close(s);
}

/* Reads all in store @name above @low. Returns the number of fetches. */
static unsigned read_above(const char *name, const char *low, const struct form *f,
			   bool back)
{
	struct store *s = open_above(name, low);
	struct layer *l;
	struct blob b;

	is_int(load_form(s, f, &b, &l, NULL), 0, "%s: loaded", f->name);
	ok(all_is_right(l, back), "every file is right");
	ok(parts_are_right(l, 5, 50), "and every part");
	layer_free(l);
	store_close(s);
	return b.preads + 100 * b.streams;
}

static void test_in_place(const struct form *f)
{
	fill("low", f);
	is_int(read_above("own", "low", f, false), 0, "without a fetch");
	is_int(read_above("own", "low", f, true), 0, "and once more");
	ok(!exists(stored("own", f, "index")) && !exists(stored("own", f, "data")) &&
		   !exists(stored("own", f, "spans")),
	   "nothing was copied");
}

static void test_missing(const struct form *f)
{
	int fd;

	fill("part", f);
	fd = open(stored("part", f, "spans"), O_RDWR);
	must(fd, "the rows");
	must(pwrite(fd, "\0\0\0\0", 4, 12) == 4 ? 0 : -EIO, "clearing the first row");
	close(fd);
	ok(read_above("own2", "part", f, false) > 0, "%s: one span is fetched", f->name);
	ok(exists(stored("own2", f, "index")), "the own store has a copy of the index");
	is_int(read_above("own2", "part", f, true), 0, "and the span, for the next time");
}

static void flip(const char *path, off_t step)
{
	int fd = open(path, O_RDWR);
	off_t size = lseek(fd, 0, SEEK_END), at;
	char c;

	for (at = step; at < size; at += step) {
		must(pread(fd, &c, 1, at) == 1 ? 0 : -EIO, "reading");
		c ^= 1;
		must(pwrite(fd, &c, 1, at) == 1 ? 0 : -EIO, "writing");
	}
	close(fd);
}

static void test_damaged(const struct form *f)
{
	static const char *const names[] = {"data", "spans", "index"};
	size_t i;

	for (i = 0; i < 3; i++) {
		fill("worn", f);
		flip(stored("worn", f, names[i]), i == 0 ? 900000 : 29);
		(void)read_above("own3", "worn", f, i == 1);
		is_int(read_above("own3", "worn", f, false), 0,
		       "%s: damaged %s: what was fetched stays", f->name, names[i]);
		must(unlink(stored("worn", f, "index")), "unlink");
		(void)unlink(stored("own3", f, "index"));
	}
}

static void test_copies(const struct form *f)
{
	struct store *s;
	struct layer *l;
	struct blob b;

	fill("from", f);
	s = open_above("to", "from");
	store_copy_lower(s);
	is_int(load_form(s, f, &b, &l, NULL), 0, "%s: loaded", f->name);
	ok(all_is_right(l, false) && parts_are_right(l, 6, 50), "every byte is right");
	{
		char *room = malloc(plain.len);

		ok(room && read_decoded(l, 0, plain.len, room) == 0, "all is read");
		free(room);
	}
	is_int(b.preads + b.streams, 0, "without a fetch");
	layer_free(l);
	store_close(s);
	check_whole("to", f);
}

int main(void)
{
	int i;

	layers_init();
	for (i = 0; i < N_FORMS; i++) {
		test_in_place(&forms[i]);
		test_missing(&forms[i]);
		test_damaged(&forms[i]);
		test_copies(&forms[i]);
	}
	layers_release();
	return test_done();
}
