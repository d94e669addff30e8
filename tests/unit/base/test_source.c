/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/source.h"
#include "tests/unit/test.h"

#define SIZE 700001 /* some chunks of a stream, and a bit */

static unsigned char bytes[SIZE];

static void fill_bytes(void)
{
	size_t i;

	for (i = 0; i < SIZE; i++)
		bytes[i] = (unsigned char)(i * 7 + i / 251);
}

/* A source that hands out a byte at a time at most, and counts its end. */
struct slow {
	struct source source;
	unsigned *released;
};

static ssize_t slow_pread(struct source *s, void *buf, size_t len, uint64_t off,
			  struct err *e)
{
	(void)s;
	(void)len;
	(void)e;
	if (off == 5)
		return -EIO;
	*(unsigned char *)buf = bytes[off];
	return 1;
}

static void slow_release(struct source *s)
{
	(*((struct slow *)s)->released)++;
}

static void test_pread(struct source *s, const char *what)
{
	static const struct {
		uint64_t off;
		size_t len, n;
	} rows[] = {
		{0, 10, 10},
		{SIZE - 5, 5, 5},
		{SIZE - 5, 100, 5},
		{SIZE, 1, 0},
		{SIZE + 1, 1, 0},
		{UINT64_MAX, 1, 0},
		{UINT64_MAX - 1, 100, 0},
		{12345, 0, 0},
		{1, sizeof(bytes), SIZE - 1},
	};
	static unsigned char got[SIZE + 1];
	struct err e;
	size_t i;

	is_int(s->size, SIZE, "%s: its size", what);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(got, 0xee, sizeof(got));
		is_int(source_pread(s, got, rows[i].len, rows[i].off, &e), rows[i].n,
		       "%s: row %zu", what, i);
		ok(!rows[i].n || memcmp(got, bytes + rows[i].off, rows[i].n) == 0,
		   "and the bytes");
		ok(got[rows[i].n] == 0xee, "and no more");
	}
	is_int(source_read_all(s, got, 9, SIZE - 9, &e), 0, "%s: all that was asked",
	       what);
	e.text[0] = '\0';
	is_int(source_read_all(s, got, 10, SIZE - 9, &e), -EBADMSG, "or an error");
	ok(e.text[0] != '\0', "with a sentence: %s", e.text);
	is_int(source_read_all(s, got, 0, SIZE + 9, &e), 0, "nothing is always there");
}

static void test_stream(struct source *s, uint64_t off, const char *what)
{
	struct stream *st = NULL;
	const void *data = NULL;
	uint64_t at = off;
	bool good = true;
	ssize_t n;

	if (!ok(source_stream(s, off, &st, NULL) == 0, "%s: a stream", what))
		return;
	while ((n = stream_next(st, &data, NULL)) > 0) {
		good = good && at + (uint64_t)n <= SIZE &&
		       memcmp(data, bytes + at, (size_t)n) == 0;
		at += (uint64_t)n;
	}
	is_int(n, 0, "ends");
	is_int(at, off > SIZE ? off : SIZE, "at the end");
	ok(good, "with the bytes");
	stream_close(st);
	stream_close(NULL);
}

static int new_file(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, SIZE) != SIZE)
		test_skip_all("no file in memory");
	return fd;
}

static void test_file(void)
{
	struct source *s = NULL;
	struct err e = {""};
	unsigned char got[10];
	int fd = new_file(), ends[2];

	is_int(source_file(fd, &s, &e), 0, "a file");
	test_pread(s, "file");
	test_stream(s, 0, "file");
	test_stream(s, 99, "file from the middle");
	test_stream(s, SIZE, "file from its end");
	is_int(ftruncate(fd, SIZE / 2), 0, "cut under our hands");
	is_int(source_pread(s, got, 10, SIZE / 2 - 4, &e), 4, "ends where it ends");
	is_int(source_read_all(s, got, 10, SIZE / 2 - 4, &e), -EBADMSG, "and says so");
	source_unref(s);
	is_int(fcntl(fd, F_GETFD), -1, "is closed with the source");

	fd = open("/", O_RDONLY | O_DIRECTORY);
	s = NULL;
	ok(source_file(fd, &s, &e) < 0 && !s, "a directory is no file: %s", e.text);
	is_int(fcntl(fd, F_GETFD), -1, "and is closed all the same");
	if (pipe(ends) == 0) {
		ok(source_file(ends[0], &s, &e) < 0, "nor is a pipe");
		close(ends[1]);
	}
	ok(source_file(-1, &s, &e) < 0 && e.text[0], "nor is none: %s", e.text);
}

static void test_slice(struct source *whole)
{
	static const struct {
		uint64_t off, len;
		int rc;
	} rows[] = {
		{0, SIZE, 0},
		{SIZE, 0, 0},
		{0, SIZE + 1, -EINVAL},
		{SIZE + 1, 0, -EINVAL},
		{1, UINT64_MAX, -EINVAL},
		{UINT64_MAX, 2, -EINVAL},
	};
	struct source *s = NULL, *inner = NULL;
	unsigned char got[100];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_int(source_slice(whole, rows[i].off, rows[i].len, &s), rows[i].rc,
		       "slice %zu", i);
		if (rows[i].rc == 0)
			source_unref(s);
	}
	is_int(source_slice(whole, 1000, 50, &s), 0, "a slice");
	is_int(source_slice(s, 10, 20, &inner), 0, "and one of it");
	source_unref(s);
	is_int(source_pread(inner, got, 100, 5, NULL), 15, "ends where the slice does");
	ok(memcmp(got, bytes + 1015, 15) == 0, "and begins where it does");
	is_int(source_slice(inner, 0, 21, &s), -EINVAL, "a slice is not left");
	source_unref(inner);
}

static void test_refs(void)
{
	static const struct source_ops ops = {.pread = slow_pread,
					      .release = slow_release};
	unsigned released = 0;
	struct slow slow = {.released = &released};
	struct source *s = &slow.source, *slice = NULL;
	struct stream *st = NULL;
	const void *data;
	unsigned char got[8];
	int rc;

	source_init(s, &ops, SIZE);
	is_int(source_slice(s, 1, 4, &slice), 0, "a slice has a reference");
	is_int(source_stream(s, 3, &st, NULL), 0, "a stream has one");
	ok(source_ref(s) == s, "we take another");
	source_unref(s);
	source_unref(s);
	is_int(released, 0, "while there are others it lives");
	is_int(source_read_all(slice, got, 4, 0, NULL), 0,
	       "all, though it comes byte by byte");
	ok(memcmp(got, bytes + 1, 4) == 0, "in order");
	is_int(source_read_all(s, got, 6, 0, NULL), -EIO,
	       "an error in the middle comes through");
	source_unref(slice);
	is_int(released, 0, "the stream is left");
	is_int(stream_next(st, &data, NULL), 1, "and works");
	is_int(stream_next(st, &data, NULL), 1, "on");
	rc = (int)stream_next(st, &data, NULL);
	is_int(rc, -EIO, "to its error");
	stream_close(st);
	is_int(released, 1, "with the last one it goes, once");
	source_unref(NULL);
}

static void *read_many(void *arg)
{
	struct source *s = arg;
	unsigned char got[64];
	size_t i, bad = 0;

	for (i = 0; i < 20000; i++) {
		uint64_t off = i * 31 % (SIZE - 64);
		struct source *again = source_ref(s);

		if (source_pread(again, got, 64, off, NULL) != 64 ||
		    memcmp(got, bytes + off, 64))
			bad++;
		source_unref(again);
	}
	source_unref(s);
	return (void *)bad;
}

static void test_threads(void)
{
	struct source *s = NULL;
	pthread_t threads[3];
	void *bad;
	int i;

	is_int(source_file(new_file(), &s, NULL), 0, "a file for three threads");
	for (i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, read_many, source_ref(s));
	source_unref(s);
	for (i = 0; i < 3; i++) {
		pthread_join(threads[i], &bad);
		ok(bad == NULL, "each reads what is there");
	}
}

int main(void)
{
	struct source *s = NULL;

	fill_bytes();
	is_int(source_memory(bytes, SIZE, &s), 0, "memory");
	test_pread(s, "memory");
	test_stream(s, 0, "memory");
	test_stream(s, SIZE + 5, "memory from behind its end");
	test_slice(s);
	source_unref(s);
	is_int(source_memory(NULL, 0, &s), 0, "no memory at all");
	is_int(source_pread(s, bytes, 1, 0, NULL), 0, "has no bytes");
	source_unref(s);
	test_file();
	test_refs();
	test_threads();
	return test_done();
}
