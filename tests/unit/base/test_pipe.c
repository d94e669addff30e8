/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "base/pipe.h"
#include "tests/unit/test.h"

struct run {
	struct pipe *pipe;
	size_t total; /* bytes that the writer has */
	size_t piece; /* so many at a time */
	int end_rc;
	size_t stop_after; /* bytes after which the reader stops; 0: never */
	bool slow_reader;
	/* results */
	int write_rc;
	size_t written;
};

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 13 + i / 253);
}

static void *writer_main(void *arg)
{
	struct run *r = arg;
	unsigned char piece[300];
	size_t i;

	while (r->written < r->total && r->write_rc == 0) {
		size_t n = r->total - r->written < r->piece ? r->total - r->written
							    : r->piece;

		for (i = 0; i < n; i++)
			piece[i] = byte_at(r->written + i);
		r->write_rc = pipe_write(r->pipe, piece, n);
		r->written += n;
	}
	pipe_end(r->pipe, r->end_rc);
	return NULL;
}

/* What the reader got: bytes, or the error. */
static ssize_t read_run(struct run *r, bool *right)
{
	static const struct timespec pause = {.tv_nsec = 100000};
	const unsigned char *p;
	const void *data = NULL;
	size_t at = 0, i;
	ssize_t n;

	*right = true;
	while ((n = pipe_next(r->pipe, &data)) > 0) {
		p = data;
		for (i = 0; i < (size_t)n; i++)
			*right = *right && p[i] == byte_at(at + i);
		at += (size_t)n;
		if (r->slow_reader)
			nanosleep(&pause, NULL);
		if (r->stop_after && at >= r->stop_after) {
			pipe_stop(r->pipe, -EDOM);
			return -EDOM;
		}
	}
	return n < 0 ? n : (ssize_t)at;
}

static ssize_t do_run(struct run *r, size_t chunk, unsigned n_chunks, bool *right)
{
	pthread_t thread;
	ssize_t n;

	*right = false;
	if (pipe_new(chunk, n_chunks, &r->pipe) < 0)
		return -ENOMEM;
	pthread_create(&thread, NULL, writer_main, r);
	n = read_run(r, right);
	pthread_join(thread, NULL);
	pipe_free(r->pipe);
	return n;
}

static void test_bytes(void)
{
	static const struct {
		size_t chunk, total, piece;
		unsigned n_chunks;
	} rows[] = {
		{100, 0, 1, 2},	   {100, 1, 1, 1},	 {100, 100, 100, 1},
		{100, 101, 7, 1},  {1, 5000, 300, 1},	 {64, 10000, 300, 3},
		{64, 9984, 64, 2}, {100, 30000, 299, 4}, {4096, 30000, 1, 2},
	};
	bool right;
	size_t i;

	for (i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct run r = {
			.total = rows[i / 2].total,
			.piece = rows[i / 2].piece,
			.slow_reader = i % 2 &&
				       rows[i / 2].total / rows[i / 2].chunk < 400,
		};

		is_int(do_run(&r, rows[i / 2].chunk, rows[i / 2].n_chunks, &right),
		       r.total, "row %zu: all bytes", i);
		ok(right, "are right");
		is_int(r.write_rc, 0, "and the writer is not disturbed");
	}
}

static void test_ends(void)
{
	struct run failing = {.total = 1000, .piece = 100, .end_rc = -EIO};
	struct run stopped = {.total = 100000, .piece = 100, .stop_after = 500};
	bool right;

	is_int(do_run(&failing, 64, 2, &right), -EIO,
	       "the writer's error is the reader's");
	ok(right, "and what came before was right");
	is_int(do_run(&stopped, 64, 2, &right), -EDOM, "the reader stops");
	is_int(stopped.write_rc, -EDOM, "the writer is told");
	ok(stopped.written < 10000, "and soon: %zu bytes", stopped.written);
	pipe_free(NULL);
}

int main(void)
{
	test_bytes();
	test_ends();
	return test_done();
}
