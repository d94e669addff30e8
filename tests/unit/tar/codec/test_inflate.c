/* SPDX-License-Identifier: MIT */
/*
 * Each engine finds block boundaries at which each engine can continue, and each
 * reports exactly where a stream ends.
 */
#include <errno.h>

#include "tar/codec/inflate.h"
#include "tests/unit/makers.h"
#include "tests/unit/test.h"

#define PLAIN_LEN 1500000

static struct buf plain;

static const char *const names[] = {
	[INFLATE_FASTEST] = "fastest", [INFLATE_ZLIB] = "zlib"};

/* Does the stream continue with the content at @at when it is entered at @bit? */
static bool goes_on(enum inflate_choice engine, const struct buf *raw, uint64_t bit,
		    size_t at)
{
	size_t before = at < INFLATE_WINDOW ? at : INFLATE_WINDOW;
	size_t len = PLAIN_LEN - at < 70000 ? PLAIN_LEN - at : 70000;
	const uint8_t *in = (const uint8_t *)raw->data + bit / 8;
	struct inflate *f = NULL;
	uint8_t *out = need(malloc(len + 1));
	struct flow flow = {in, raw->len - (size_t)(bit / 8), out, len};
	unsigned bits = 0, value = 0;
	int rc = 0;
	bool good;

	if (bit % 8) {
		bits = 8 - bit % 8;
		value = (unsigned)*flow.in++ >> (bit % 8);
		flow.in_len--;
	}
	if (inflate_new(engine, &f) < 0 ||
	    inflate_start(f, plain.data + at - before, before, bits, value) < 0)
		exit(1);
	while (rc == 0 && flow.out_len > 0 && flow.in_len > 0)
		rc = inflate_run(f, &flow, false);
	good = rc >= 0 && flow.out_len == 0 && memcmp(out, plain.data + at, len) == 0;
	inflate_free(f);
	free(out);
	return good;
}

/* Decodes @raw, with junk after it, in pieces, and stops at every possible block. */
static void walk(const char *what, enum inflate_choice engine, const struct buf *raw,
		 size_t piece)
{
	size_t given = 0, made = 0, last = 0, n_tail, n_stops = 0, n_bad = 0;
	uint8_t *out = need(malloc(PLAIN_LEN + 1)), tail[INFLATE_TAIL];
	struct inflate *f = NULL;
	int rc = INFLATE_MORE;

	if (inflate_new(engine, &f) < 0 || inflate_start(f, NULL, 0, 0, 0) < 0)
		exit(1);
	while (rc >= 0 && rc != INFLATE_END && given < raw->len) {
		size_t n = raw->len - given < piece ? raw->len - given : piece;
		size_t room = PLAIN_LEN + 1 - made < 40000 ? PLAIN_LEN + 1 - made : 40000;
		bool stop = made - last >= 40000;
		struct flow flow = {(const uint8_t *)raw->data + given, n, out + made,
				    room};

		rc = inflate_run(f, &flow, stop);
		given += n - flow.in_len;
		made += room - flow.out_len;
		if (rc == INFLATE_BLOCK) {
			uint64_t bit = given * 8 - inflate_behind(f);

			n_bad += !goes_on(INFLATE_FASTEST, raw, bit, made);
			n_bad += !goes_on(INFLATE_ZLIB, raw, bit, made);
			n_stops++;
			last = made;
		}
	}
	n_tail = inflate_tail(f, tail);
	ok(rc == INFLATE_END && made == PLAIN_LEN && memcmp(out, plain.data, made) == 0,
	   "%s by %s in pieces of %zu", what, names[engine], piece);
	ok(n_bad == 0 && n_stops > 0, "%zu places to go on from", n_stops);
	ok(given - n_tail == raw->len - 20, "the end is found");
	ok(memcmp(tail, raw->data + given - n_tail, n_tail) == 0,
	   "what was taken too much is told");
	inflate_free(f);
	free(out);
}

static void test_walk(void)
{
	static const struct {
		const char *what;
		struct gzip_form form;
	} rows[] = {
		{"level 1", {.level = 1}},
		{"level 6", {.level = 6}},
		{"stored", {.level = 0}},
		{"fixed",
		 {.level = 3,
		  .strategy = Z_FIXED,
		  .flush_every = 5000,
		  .flush = Z_BLOCK}},
		{"flushed", {.level = 3, .flush_every = 30000, .flush = Z_SYNC_FLUSH}},
		{"short blocks", {.level = 3, .flush_every = 300, .flush = Z_BLOCK}},
	};
	static const size_t pieces[] = {100, 5000, 1 << 20};
	size_t i, k;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf gz, raw;

		buf_init(&gz, MAKER_MAX);
		buf_init(&raw, MAKER_MAX);
		make_gzip(&gz, plain.data, PLAIN_LEN, &rows[i].form);
		maker_append(&raw, gz.data + 10, gz.len - 18);
		maker_append(&raw, "twenty bytes of junk", 20);
		for (k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++) {
			walk(rows[i].what, INFLATE_FASTEST, &raw, pieces[k]);
			walk(rows[i].what, INFLATE_ZLIB, &raw, pieces[k]);
		}
		buf_release(&gz);
		buf_release(&raw);
	}
}

static void test_bad(void)
{
	static const struct {
		const char *what;
		uint8_t data[16];
	} rows[] = {
		{"a reserved block type", {0x07}},
		{"a stored length that does not match", {0x01, 5, 0, 5, 0}},
		{"a copy from before the start", {0x03, 0x02, 0, 0}},
	};
	size_t i;
	int engine;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (engine = 0; engine < 2; engine++) {
			uint8_t out[1000];
			struct flow flow = {rows[i].data, 16, out, sizeof(out)};
			struct inflate *f = NULL;

			if (inflate_new((enum inflate_choice)engine, &f) < 0 ||
			    inflate_start(f, NULL, 0, 0, 0) < 0)
				exit(1);
			is_int(inflate_run(f, &flow, false), -EBADMSG, "%s, %s",
			       rows[i].what, names[engine]);
			/* after a failure an engine can be used again */
			flow = (struct flow){(const uint8_t *)"\x03\0", 2, out,
					     sizeof(out)};
			if (inflate_start(f, NULL, 0, 0, 0) < 0)
				exit(1);
			is_int(inflate_run(f, &flow, false), INFLATE_END,
			       "it can begin again");
			inflate_free(f);
		}
	}
}

static void test_crc(void)
{
	is_int(inflate_crc(0, "123456789", 9), 0xcbf43926,
	       "the CRC-32 that everyone has");
}

int main(void)
{
	buf_init(&plain, MAKER_MAX);
	make_plain(&plain, PLAIN_LEN);
	test_walk();
	test_bad();
	test_crc();
	buf_release(&plain);
	return test_done();
}
