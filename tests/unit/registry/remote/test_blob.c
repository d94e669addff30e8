/* SPDX-License-Identifier: MIT */
/* Blobs from a registry that misbehaves, without a store. */
#include <errno.h>

#include "tests/unit/blob_server.h"
#include "tests/unit/test.h"

/* A pread of @len at @off under each script: the right bytes, or this errno. */
static void test_pread(void)
{
	static const struct {
		const char *script, *far, *what;
		int rc; /* 0: the right bytes */
		unsigned asked;
	} rows[] = {
		{".", "", "a good range", 0, 1},
		{"i", "", "a 200 to a range", 0, 1},
		{"c", "", "a 200 without a length", 0, 1},
		{"l.", "", "more than was said", 0, 2},
		{"s.", "", "less than was said", 0, 2},
		{"r.", "", "a reset in the middle", 0, 2},
		{"rrri", "", "three, and then the whole", 0, 4},
		{"h.", "", "a stall", 0, 2},
		{"x.", "", "a reset at once", 0, 0},
		{"5.", "", "busy", 0, 2},
		{"9.", "", "too many requests", 0, 2},
		{"w", "", "a range that begins elsewhere", -EIO, 0},
		{"z", "", "a coding that is only said", 0, 1},
		{"t", "", "another size", -EIO, 0},
		{"wt.", "", "both, and then a good range", 0, 3},
		{"4", "", "not there", -ENOENT, 4},
		{"3", "", "forbidden, also without a range", -EACCES, 2},
		{"u", "", "a password is wanted", -EACCES, 1},
		{"o", "", "redirects without end", -EIO, 0},
		{"e", ".", "a redirect", 0, 1},
		{"e", "r.", "a reset there", 0, 1},
		{"e", "i", "no ranges there", 0, 1},
	};
	unsigned char got[100000];
	struct err e;
	struct bench b = {0};
	size_t i;
	ssize_t n;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		e.text[0] = '\0';
		script(&near, rows[i].script);
		script(&far, rows[i].far[0] ? rows[i].far : "4");
		bench_open(&b, 4);
		memset(got, 0xee, sizeof(got));
		n = source_pread(b.blob, got, 50001, 120000, &e);
		is_int(n, rows[i].rc ? rows[i].rc : 50001, "%s", rows[i].what);
		if (rows[i].rc == 0)
			ok(memcmp(got, content + 120000, 50001) == 0, "the right bytes");
		else
			ok(e.text[0] != '\0', "says: %s", e.text);
		ok(got[50001] == 0xee, "and no more");
		if (rows[i].asked)
			is_int(near.asked, rows[i].asked, "requests");
		bench_close(&b);
	}
}

/* The same for a stream from an offset. */
static void test_stream(void)
{
	static const struct {
		const char *script, *what;
		int rc;
	} rows[] = {
		{".", "a good stream", 0},
		{"rsr.", "broken off three times", 0},
		{"ri", "broken off, and then no ranges", 0},
		{"h5x.", "a stall, busy, a reset", 0},
		{"rw", "broken off, and then a wrong range", -EIO},
		{"r4", "broken off, and then gone", -ENOENT},
		{"g", "no HTTP", -EIO},
	};
	struct bench b = {0};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stream *st = NULL;
		uint64_t at = 1000;
		const void *data;
		bool same = true;
		ssize_t n;

		e.text[0] = '\0';
		script(&near, rows[i].script);
		bench_open(&b, 4);
		is_int(source_stream(b.blob, at, &st, &e), 0, "%s", rows[i].what);
		while ((n = stream_next(st, &data, &e)) > 0) {
			same = same && at + (uint64_t)n <= SIZE &&
			       memcmp(data, content + at, (size_t)n) == 0;
			at += (uint64_t)n;
		}
		is_int(n, rows[i].rc, "ends so: %s", e.text);
		ok(same && (n < 0 || at == SIZE), "the right bytes up to %llu",
		   (unsigned long long)at);
		stream_close(st);
		bench_close(&b);
	}
}

/* A signed URL is kept, asked without our secrets, and asked for anew when it expires. */
static void test_redirect(void)
{
	unsigned char got[10];
	struct err e = {""};
	struct bench b = {0};
	size_t i;

	script(&near, "e");
	script(&far, "..3..");
	bench_open(&b, 4);
	for (i = 0; i < 4; i++)
		is_int(source_pread(b.blob, got, 10, 10 * i, &e), 10, "read %zu (%s)", i,
		       e.text);
	is_int(near.asked, 2,
	       "the registry was asked at first, and when the URL had expired");
	is_int(far.asked, 5, "the other host all times");
	ok(strstr(near.requests[0], "GET /v2/a/blobs/sha256:") != NULL, "by GET");
	ok(strstr(far.requests[0], "GET /signed?k=1 ") != NULL, "at the signed URL");
	ok(strstr(far.requests[4], "GET /signed?k=2 ") != NULL, "at the new one");
	for (i = 0; i < 5; i++)
		ok(!strcasestr(far.requests[i], "authorization"),
		   "without Authorization");
	bench_close(&b);
}

/* The pauses between tries double, so the last try may be long before the deadline. */
static void test_early_end(void)
{
	struct bench b = {0};

	bench_open(&b, 5);
	remote_note_failure(b.remote, clock_ms() - 1800);
	ok(remote_deadline(b.remote) - clock_ms() <= 2000, "it was a wait in vain");
	bench_close(&b);
}

/* Who waited in vain is not made to wait so long again, and is served when it can be. */
static void test_vain(void)
{
	unsigned char got[10];
	struct err e = {""};
	struct bench b = {0};
	int64_t until;

	script(&near, ".");
	bench_open(&b, 5);
	is_int(source_pread(b.blob, got, 10, 0, &e), 10, "a host that answers");
	script(&near, "x");
	is_int(source_pread(b.blob, got, 10, 0, &e), -EIO, "and then no more");
	until = remote_deadline(b.remote);
	ok(until - clock_ms() <= 2000, "there is less time for the next wait");
	is_int(source_pread(b.blob, got, 10, 0, &e), -EIO, "in vain, too: %s", e.text);
	/* At once it would be taken for the kernel's second try, which gets 0.4 s. */
	nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
	script(&near, "x.");
	is_int(source_pread(b.blob, got, 10, 0, &e), 10, "but found when it is back");
	ok(memcmp(got, content, 10) == 0, "the right bytes");
	script(&near, "xxx.");
	is_int(source_pread(b.blob, got, 10, 0, &e), 10, "and waited for as before");
	bench_close(&b);
}

/* What does not come has an end. */
static void test_deadline(void)
{
	unsigned char got[10];
	struct err e = {""};
	struct bench b = {0};
	int64_t start;

	script(&near, "5");
	bench_open(&b, 2);
	start = clock_ms();
	is_int(source_pread(b.blob, got, 10, 0, &e), -EIO, "busy for ever");
	ok(clock_ms() - start < 60000, "is given up: %s", e.text);
	bench_close(&b);
}

int main(void)
{
	servers_start();
	test_pread();
	test_stream();
	test_redirect();
	test_early_end();
	test_vain();
	test_deadline();
	servers_stop();
	return test_done();
}
