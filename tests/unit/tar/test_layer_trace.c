/* SPDX-License-Identifier: MIT */
/* What was read of a layer is noted in its order, and fetched elsewhere before it is read. */
#include "tar/layer_trace.h"

#include <time.h>

#include "tests/unit/tar/layers.h"

/* Loaded, with nothing of its data in the store. */
static struct layer *without_spans(const char *name, struct store *s,
				   const struct form *f, struct blob *b)
{
	struct layer *l;

	must(load_form(s, f, b, &l, NULL), "loading");
	layer_free(l);
	must(unlink(stored(name, f, "data")), "unlink");
	must(unlink(stored(name, f, "spans")), "unlink");
	must(load_form(s, f, b, &l, NULL), "loading again");
	return l;
}

static unsigned count_preads(struct blob *b)
{
	return __atomic_load_n(&b->preads, __ATOMIC_RELAXED);
}

/* Waits for the bytes of @r. */
static bool arrives(struct layer *l, const struct byte_range *r)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	int i;

	for (i = 0; i < 10000 && !layer_has(l, r->first, r->end - r->first); i++)
		nanosleep(&pause, NULL);
	return i < 10000;
}

static void test_order(struct layer *l, struct byte_range out[3])
{
	char room[10];

	is_int(layer_trace(l, out, 3), 0, "nothing was read yet");
	read_decoded(l, 2000000, 10, room);
	read_decoded(l, 10, 10, room);
	read_decoded(l, 2000010, 10, room);
	is_int(layer_trace(l, out, 3), 2, "what was read twice is noted once");
	ok(out[0].first <= 2000000 && out[0].end > 2000010 && out[1].first == 0 &&
		   out[1].end >= 20 && out[1].end <= out[0].first,
	   "in the order of reading");
	is_int(layer_trace(l, out, 1), 1, "no more than there is room for");
}

static void test_trace(const struct form *f)
{
	struct store *s = open_store("trace"), *other = open_store("other");
	struct byte_range r[3];
	uint64_t budget = PREFETCH_MAX;
	struct layer *l;
	struct blob b;
	unsigned preads;
	char room[10];

	l = without_spans("trace", s, f, &b);
	test_order(l, r);
	layer_free(l);

	l = without_spans("other", other, f, &b);
	layer_prefetch(l, &r[0], &budget);
	layer_prefetch(l, &r[1], &budget);
	ok(arrives(l, &r[0]) && arrives(l, &r[1]), "%s: the ranges arrive", f->name);
	ok(budget < PREFETCH_MAX && budget > PREFETCH_MAX / 2, "and are paid for");
	is_int(layer_trace(l, r, 3), 0, "but nobody has read them");
	preads = count_preads(&b);
	ok(read_decoded(l, 2000000, 10, room) == 0 &&
		   memcmp(room, plain.data + 2000000, 10) == 0 &&
		   count_preads(&b) == preads,
	   "reading them asks for nothing");
	layer_free(l);
	store_close(s);
	store_close(other);
}

static void test_limits(const struct form *f)
{
	const struct byte_range behind = {UINT64_C(1) << 40, UINT64_C(1) << 41};
	const struct byte_range all = {0, INT64_MAX}, empty = {5, 5};
	struct store *s = open_store("limits");
	uint64_t budget = PREFETCH_MAX;
	struct layer_progress p;
	struct layer *l;
	struct blob b;

	l = without_spans("limits", s, f, &b);
	layer_prefetch(l, &behind, &budget);
	layer_prefetch(l, &empty, &budget);
	ok(budget == PREFETCH_MAX, "nothing is behind the end, or in nothing");
	budget = 10;
	layer_prefetch(l, &all, &budget);
	is_int(budget, 10, "no span for so little");
	budget = 3 << 20;
	layer_prefetch(l, &all, &budget);
	ok(budget < 3 << 20, "some for more");
	layer_free(l); /* waits for what is under way */
	must(load_form(s, f, &b, &l, NULL), "loading");
	ok(layer_is_stored(l, 0), "the first is in the store");
	layer_progress(l, &p);
	ok(!layer_has(l, p.decoded - 1, 1) &&
		   !layer_is_stored(l, index_info(layer_index(l))->n_spans - 1),
	   "the last is not");
	layer_free(l);
	store_close(s);
}

int main(void)
{
	layers_init();
	test_trace(&forms[PLAIN]);
	test_trace(&forms[GZIP]);
	test_trace(&forms[ZSTD_FRAMES]);
	test_limits(&forms[GZIP]);
	layers_release();
	return test_done();
}
