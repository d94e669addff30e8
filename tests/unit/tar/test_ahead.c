/* SPDX-License-Identifier: MIT */
#include "tar/ahead.h"

#include "tar/batch.h"
#include "tests/unit/plant.h"
#include "tests/unit/test.h"

#define N_SPANS 1000
#define MIB	(1u << 20)

/* Spans of @len decoded bytes each. */
static struct index *new_index(uint32_t n, uint64_t len)
{
	struct index *ix = NULL;
	struct plant p;
	uint32_t i;

	plant_begin(&p);
	for (i = 0; i < n; i++) {
		const struct span sp = {.kind = SPAN_ZSTD,
					.in = 100 * i,
					.in_len = 100,
					.out = i * len,
					.out_len = len};

		plant_must(tree_add_span(p.tree, &sp), "a span");
	}
	plant_must(index_open(plant_finish(&p), &plant_digest, &ix, NULL), "an index");
	return ix;
}

/* Like span_cache.c, if only what was started is available. */
static struct ahead_reader *miss(struct ahead *a, const struct index *ix, uint32_t span)
{
	struct ahead_reader *r = ahead_on_miss(a, ix, span);
	uint32_t n = (uint32_t)(r->bytes / MIB);

	ahead_began_for(r, span, n ? n : 1, span);
	return r;
}

static void check_in_order(const struct index *ix)
{
	struct ahead a = {0};
	struct ahead_reader *r = miss(&a, ix, 8);
	uint32_t i, runs = 0;

	is_int(r->end, 9, "a read somewhere gets its span");
	ok(!ahead_on_hit(&a, ix, 8), "and nothing is begun when that is read");
	ok(miss(&a, ix, 9) == r, "the next to it is the same reader");
	miss(&a, ix, 10);
	ok(!r->goes_on && r->end == 11, "a few may be a library");
	ok(miss(&a, ix, 11) == r && r->goes_on, "more are not");
	is_int(r->end, 15, "and its run is four times as long");
	ok(!ahead_on_hit(&a, ix, 11), "nothing is begun before it goes on");
	ok(ahead_on_hit(&a, ix, 12) == r, "then the next run is");
	ahead_began(r, r->end, 1);
	ok(!ahead_on_hit(&a, ix, 12), "once, however often it reads there");
	for (i = 13; i < 500; i++) {
		while ((r = ahead_on_hit(&a, ix, i))) {
			ahead_began(r, r->end, (uint32_t)(r->bytes / MIB));
			runs++;
		}
		if (a.readers[0].end <= i + BATCH_MAX / MIB)
			break;
	}
	is_int(i, 500, "then a run is on its way, always");
	ok(runs <= 500 / (BATCH_MAX / MIB) + 3, "each as long as one may be");
	is_int(a.readers[1].bytes, 0, "all that was one reader");
}

/* Runs of the same length end at the same places, wherever they begin. */
static void check_ends(void)
{
	static const struct {
		uint64_t start, len, bytes, end;
	} rows[] = {
		{5 * MIB, MIB, MIB, 6 * MIB},
		{5 * MIB + 7, 70000, MIB, 5 * MIB + 70007},
		{5 * MIB, 3000, MIB, 6 * MIB},
		{100000, 4096, 65536, 196608},
		{0, MIB, 4 * MIB, 4 * MIB},
		{MIB, MIB, 4 * MIB, 4 * MIB},
		{2 * MIB, MIB, 4 * MIB, 8 * MIB},
		{5 * MIB, MIB, 4 * MIB, 8 * MIB},
		{4 * MIB, MIB, 16 * MIB, 16 * MIB},
		{9 * MIB, MIB, 16 * MIB, 16 * MIB},
		{16 * MIB, MIB, 16 * MIB, 32 * MIB},
		{31 * MIB, MIB, 16 * MIB, 32 * MIB},
		{3 * MIB, 20 * MIB, 16 * MIB, 23 * MIB},
	};
	uint64_t start, end;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(ahead_run_end(rows[i].start, rows[i].len, rows[i].bytes),
		       rows[i].end, "row %zu", i);
	for (i = 1; i <= BATCH_MAX / 65536; i *= 4) {
		uint64_t bytes = i * 65536;
		bool good = true;

		for (start = 0; start < 4 * bytes; start += bytes / 16) {
			end = ahead_run_end(start, 512, bytes);
			good &= end > start && end - start <= BATCH_MAX &&
				end % bytes == 0;
		}
		ok(good, "all runs of %llu KiB", (unsigned long long)bytes / 1024);
	}
}

static void check_nearly_in_order(const struct index *ix)
{
	static const uint32_t near[] = {100, 104, 98, 107, 101, 110, 96, 103};
	struct ahead a = {0};
	struct ahead_reader *r = NULL;
	size_t i;

	for (i = 0; i < 8; i++) {
		ok(!r || !r->goes_on, "%zu reads near each other may be chance", i);
		r = miss(&a, ix, near[i]);
	}
	ok(r->goes_on && r == &a.readers[0], "eight are not");
	a = (struct ahead){0};
	r = ahead_on_miss(&a, ix, 100);
	ahead_began_for(r, 98, 5, 100);
	ok(!ahead_on_hit(&a, ix, 100), "who reads what was missed");
	ok(ahead_on_hit(&a, ix, 101) == r, "goes on if what came beside it is read, too");
}

static void check_readers(const struct index *ix)
{
	struct ahead a = {0};
	uint32_t i;

	for (i = 0; i < AHEAD_READERS; i++)
		ok(miss(&a, ix, 200 * i) == &a.readers[i],
		   "far from the others is a reader");
	ok(miss(&a, ix, 1) == &a.readers[0], "who goes on is known");
	ok(miss(&a, ix, 950) == &a.readers[1], "the fifth takes the place of the oldest");
	is_int(a.readers[1].misses, 1, "and is a new one");
	ok(!ahead_on_hit(&a, ix, 200), "who was forgotten begins nothing");
}

static void check_end(const struct index *ix)
{
	struct ahead a = {0};
	struct ahead_reader *r = NULL;
	uint32_t i;

	for (i = N_SPANS - 6; i < N_SPANS - 2; i++)
		r = miss(&a, ix, i);
	ok(r->goes_on, "a reader near the end");
	r->end = N_SPANS;
	ok(!ahead_on_hit(&a, ix, N_SPANS - 1), "nothing is begun behind the last span");
}

static void check_small(void)
{
	struct index *ix = new_index(100, 4096);
	struct ahead a = {0};

	is_int(ahead_on_miss(&a, ix, 50)->bytes, 64 << 10,
	       "small spans come many at a time");
	index_close(ix);
}

int main(void)
{
	struct index *ix = new_index(N_SPANS, MIB);

	check_in_order(ix);
	check_ends();
	check_nearly_in_order(ix);
	check_readers(ix);
	check_end(ix);
	index_close(ix);
	check_small();
	return test_done();
}
