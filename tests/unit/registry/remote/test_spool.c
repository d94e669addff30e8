/* SPDX-License-Identifier: MIT */
/* Blobs from hosts without ranges: what they send is kept in a store. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/unit/blob_server.h"
#include "tests/unit/place.h"
#include "tests/unit/test.h"

static void spool_open(struct bench *b, const char *text, unsigned timeout)
{
	struct err e = {""};

	script(&near, text);
	if (store_open_private(&b->store, &e) < 0) {
		printf("# %s\n", e.text);
		exit(1);
	}
	bench_open(b, timeout);
}

/* A part in the middle, @i-th of some. */
static bool reads_part(struct bench *b, size_t i)
{
	size_t off = i * 77777 % (SIZE - 1000) + 1;
	unsigned char got[999];
	struct err e = {""};
	ssize_t n = source_pread(b->blob, got, sizeof(got), off, &e);

	if (n != sizeof(got))
		printf("# %zd: %s\n", n, e.text);
	return n == sizeof(got) && memcmp(got, content + off, sizeof(got)) == 0;
}

static bool streams(struct bench *b, size_t at)
{
	struct stream *st = NULL;
	struct err e = {""};
	const void *data;
	bool same = true;
	ssize_t n;

	if (source_stream(b->blob, at, &st, &e) < 0)
		return false;
	while ((n = stream_next(st, &data, &e)) > 0) {
		same = same && at + (size_t)n <= SIZE &&
		       memcmp(data, content + at, (size_t)n) == 0;
		at += (size_t)n;
	}
	stream_close(st);
	if (n < 0)
		printf("# %zd: %s\n", n, e.text);
	return same && n == 0 && at == SIZE;
}

static void test_once(void)
{
	static const struct {
		const char *script, *far, *what;
		unsigned asked, asked_far; /* 0: not counted */
	} rows[] = {
		{"i", "4", "no ranges", 1, 0},
		{"c", "4", "no ranges and no length", 1, 0},
		{".i", "4", "a range, and then no more", 2, 0},
		{"IIi", "4", "broken off twice", 3, 0},
		{"HIi", "4", "a stall and an early end", 3, 0},
		{"I5xi", "4", "broken off, busy", 0, 0},
		{"e", "i", "no ranges where it redirects to", 1, 1},
	};
	struct bench b = {0};
	size_t row, i;

	for (row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		bool good = true;

		script(&far, rows[row].far);
		spool_open(&b, rows[row].script, 6);
		for (i = 0; i < 20 && good; i++)
			good = reads_part(&b, i);
		ok(good, "%s: the right bytes", rows[row].what);
		ok(streams(&b, 0) && streams(&b, 100001), "as streams, too");
		if (rows[row].asked)
			is_int(near.asked, rows[row].asked, "requests");
		if (rows[row].asked_far)
			is_int(far.asked, rows[row].asked_far, "and there");
		bench_close(&b);
	}
	spool_open(&b, "i", 4);
	ok(streams(&b, 100001) && streams(&b, 5), "streams alone");
	ok(reads_part(&b, 3), "and a part");
	is_int(near.asked, 1, "have one request");
	bench_close(&b);
}

static void *read_parts(void *arg)
{
	size_t i, bad = 0;

	for (i = 0; i < 30; i++)
		bad += !reads_part(arg, i * 7);
	return (void *)bad;
}

static void test_at_once(void)
{
	struct bench b = {0};
	pthread_t threads[6];
	size_t i, bad = 0;

	spool_open(&b, "IIIIi", 20);
	for (i = 0; i < 6; i++) {
		if (pthread_create(&threads[i], NULL, read_parts, &b) != 0)
			exit(1);
	}
	for (i = 0; i < 6; i++) {
		void *result;

		pthread_join(threads[i], &result);
		bad += (size_t)result;
	}
	is_int(bad, 0, "several at once read the right bytes");
	ok(near.asked <= 5 + 6, "with %u requests", near.asked);
	bench_close(&b);
}

/* What failed is tried again by the next reader, from where it was. */
static void test_spool_fails(void)
{
	unsigned char got[10];
	struct bench b = {0};
	struct err e = {""};
	unsigned asked;

	spool_open(&b, "I4", 4);
	ok(reads_part(&b, 1), "what came is there");
	is_int(source_pread(b.blob, got, 10, SIZE - 10, &e), -ENOENT,
	       "what did not is gone: %s", e.text);
	ok(e.text[0] != '\0', "with a sentence");
	asked = near.asked;
	ok(reads_part(&b, 1), "what came is there still");
	is_int(near.asked, asked, "and asks nothing");
	script(&near, "i");
	is_int(source_pread(b.blob, got, 10, SIZE - 10, &e), 10, "another try: %s",
	       e.text);
	ok(memcmp(got, content + SIZE - 10, 10) == 0, "the right bytes");
	bench_close(&b);
}

/* One transfer convicts no content: the same bytes are fetched again. */
static void test_wrong_bytes(void)
{
	unsigned char got[10];
	struct bench b = {0};
	size_t i;

	for (i = 0; i < 2; i++) {
		spool_open(&b, "fi", 6);
		is_int(source_pread(b.blob, got, 10, 777, NULL), 10, "wrong bytes");
		ok(memcmp(got, content + 778, 10) == 0, "as they came");
		if (i == 0) {
			is_int(source_pread(b.blob, got, 10, 777, NULL), 10, "again");
			ok(memcmp(got, content + 777, 10) == 0, "the right ones");
		} else {
			ok(!streams(&b, 0) && streams(&b, 0), "and in a stream");
		}
		is_int(near.asked, 2, "requests");
		bench_close(&b);
	}
}

/* What is no answer to a request for a range does not change how the next one is read. */
static void test_page_elsewhere(void)
{
	struct bench b = {0};

	script(&far, ".p.");
	spool_open(&b, "e", 6);
	ok(reads_part(&b, 1), "a part from elsewhere");
	ok(reads_part(&b, 2), "a page instead of another");
	ok(reads_part(&b, 3) && streams(&b, 7), "and a third");
	bench_close(&b);
}

/* A slow host that ignored a range once holds nobody: a range is requested again. */
static void test_slow_host(void)
{
	struct bench b = {0};
	int64_t start = clock_ms();

	spool_open(&b, "S.", 30);
	ok(reads_part(&b, 3), "a part far from the start");
	ok(clock_ms() - start < 5500, "comes before all bytes ahead of it");
	ok(reads_part(&b, 2) && streams(&b, 250000), "and so do others");
	is_int(near.asked, 5, "by ranges");
	bench_close(&b);

	start = clock_ms();
	spool_open(&b, "S.", 30);
	ok(streams(&b, 250000), "a stream");
	ok(clock_ms() - start < 5500, "does not wait either");
	bench_close(&b);

	spool_open(&b, "S4xi", 30);
	ok(reads_part(&b, 3), "a slow host that has no ranges later either");
	ok(near.asked <= 4, "is rarely asked for them: %u requests", near.asked);
	bench_close(&b);
}

static void test_spool_is_left(void)
{
	struct bench b = {0};
	int64_t start;

	spool_open(&b, "H", 300);
	ok(reads_part(&b, 1), "a third came");
	start = clock_ms();
	bench_close(&b);
	ok(clock_ms() - start < 60000, "who leaves does not wait for the rest");
}

/* Without a place for the file each part is a request, and as right. */
static void test_no_place(void)
{
	struct rlimit old, small;
	struct bench b = {0};
	struct err e = {""};

	place_make();
	script(&near, "i");
	if (store_open(place_path("store"), &b.store, &e) < 0)
		exit(1);
	store_set_limit(b.store, 1);
	bench_open(&b, 4);
	ok(reads_part(&b, 1) && reads_part(&b, 2) && streams(&b, 7),
	   "no room in the store");
	is_int(near.asked, 1, "one elsewhere");
	bench_close(&b);

	place_env("TMPDIR", "/proc/nowhere");
	script(&near, "i");
	if (store_open(place_path("store"), &b.store, &e) < 0)
		exit(1);
	store_set_limit(b.store, 1);
	bench_open(&b, 4);
	ok(reads_part(&b, 1) && reads_part(&b, 2) && streams(&b, 7), "nor elsewhere");
	ok(near.asked >= 3, "a request each");
	bench_close(&b);
	place_env("TMPDIR", NULL);

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){SIZE / 2, old.rlim_max};
	setrlimit(RLIMIT_FSIZE, &small);
	spool_open(&b, "i", 4);
	ok(streams(&b, 7), "a disk that is full in between, for a stream");
	ok(reads_part(&b, 1) && reads_part(&b, 2) && reads_part(&b, 3), "and for parts");
	bench_close(&b);
	spool_open(&b, "i", 4);
	ok(reads_part(&b, 1) && reads_part(&b, 2) && reads_part(&b, 3),
	   "for parts alone");
	ok(streams(&b, 7), "and then a stream");
	bench_close(&b);
	setrlimit(RLIMIT_FSIZE, &old);
}

int main(void)
{
	servers_start();
	test_once();
	test_at_once();
	test_spool_fails();
	test_wrong_bytes();
	test_page_elsewhere();
	test_slow_host();
	test_spool_is_left();
	test_no_place();
	servers_stop();
	return test_done();
}
