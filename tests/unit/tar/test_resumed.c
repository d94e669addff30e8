/* SPDX-License-Identifier: MIT */
#include "tar/resumed.h"

#include <errno.h>
#include <string.h>

#include "base/store/partial.h"
#include "base/store/slot.h"
#include "base/store/store.h"
#include "tests/unit/tar/layers.h"

#define SIZE 2000000

static char bytes[SIZE];

/*
 * Reads the whole stream, and gives the partial up at @until. Returns whether all bytes came and
 * are right.
 */
static bool read_stream(struct source *blob, struct partial *p, uint64_t *kept,
			size_t until)
{
	struct stream *st = NULL;
	const void *data = NULL;
	bool right = true;
	size_t at = 0;
	ssize_t n;

	*kept = 0;
	must(resumed_stream(blob, p, kept, &st, NULL), "a stream");
	while ((n = stream_next(st, &data, NULL)) > 0) {
		right = right && at + (size_t)n <= SIZE &&
			memcmp(bytes + at, data, (size_t)n) == 0;
		at += (size_t)n;
		if (at >= until)
			(void)partial_give_up(p);
	}
	stream_close(st);
	return right && n == 0 && at == SIZE;
}

static void test(size_t len, size_t until, uint64_t want, const char *what)
{
	struct store *s = open_store("store");
	struct digest d = {.alg = DIGEST_SHA256};
	struct partial *p = NULL;
	struct slot *slot = NULL;
	uint64_t kept;
	struct blob b;

	must(slot_open(s, &d, &slot), "a slot");
	must(partial_open(slot, SIZE, &p), "a partial");
	must(partial_append(p, bytes, len, 0), "bytes");
	partial_close(p);
	must(partial_open(slot, SIZE, &p), "a partial");
	blob_init(&b, bytes, SIZE);
	ok(read_stream(&b.source, p, &kept, until), "%s", what);
	is_int(kept, want, "so much was kept");
	is_int(b.sent, SIZE - want, "and so much was fetched");
	is_int(b.streams, want < SIZE, "with a request if one is needed");
	is_int(b.source.refs, 1, "the blob is let go");
	(void)partial_give_up(p);
	partial_close(p);
	slot_close(slot);
	store_close(s);
}

int main(void)
{
	struct blob b;
	uint64_t kept;
	size_t i;

	place_make();
	for (i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	blob_init(&b, bytes, SIZE);
	ok(read_stream(&b.source, NULL, &kept, SIZE), "without a partial");
	ok(kept == 0 && b.sent == SIZE, "all comes from the blob");
	test(0, SIZE, 0, "nothing is kept");
	test(1000001, SIZE, 1000001, "a half is kept");
	test(SIZE, SIZE, SIZE, "all is kept");
	test(1500000, 600000, 3 * 262144, "it is given up while it is read");
	return test_done();
}
