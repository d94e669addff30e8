/* SPDX-License-Identifier: MIT */
#include "registry/http/transfer.h"

#include <errno.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "registry/http/host.h"
#include "registry/http/internal.h"
#include "tests/unit/test.h"

static unsigned wakes, moves, drops;

static void count_wake(const struct transfer_driver *d)
{
	(void)d;
	wakes++;
}

static void count_move(const struct transfer_driver *d, struct transfer *t)
{
	(void)d;
	(void)t;
	moves++;
}

static void count_drop(const struct transfer_driver *d, struct transfer *t)
{
	(void)d;
	(void)t;
	drops++;
}

static const struct transfer_driver driver = {count_wake, count_move, count_drop};
static struct host *host;

static struct transfer *make(bool bulk, bool spare)
{
	struct transfer *t = NULL;
	char *origin = strdup("http://host:80");

	wakes = moves = drops = 0;
	if (!origin || transfer_new(&driver, bulk, spare, origin, &t) < 0)
		exit(77);
	t->host = host;
	return t;
}

static void test_body(void)
{
	int64_t until = clock_ms() + 5000;
	struct transfer *t = make(false, false);
	struct err e = {""};
	const void *data;
	struct buf b;

	buf_init(&b, 8);
	transfer_start(t);
	transfer_show_head(t);
	is_int(transfer_await(t, &until, &e), 0, "the head is there");
	is_int(transfer_put(t, "hello", 5), 0, "a piece of the body");
	is_int(transfer_next(t, &data, 3, until, &e), 3, "is lent in part");
	is_int(transfer_next(t, &data, 3, until, &e), 2, "then the rest");
	ok(memcmp(data, "lo", 2) == 0, "in order");
	is_int(transfer_next(t, &data, 3, clock_ms() + 20, &e), -ETIMEDOUT, "%s", e.text);
	is_int(transfer_put(t, "too large", 9), 0, "more");
	transfer_finish(t, 0);
	is_int(transfer_read_all(t, &b, until, &e), -E2BIG, "%s", e.text);
	is_int(transfer_next(t, &data, 3, until, &e), 0, "the end");
	is_int(drops, 0, "it lives until it is closed");
	transfer_close(t);
	is_int(drops, 1, "and no longer");
	buf_release(&b);
}

static void test_pause(void)
{
	static const char piece[60000];
	int64_t until = clock_ms() + 5000;
	struct transfer *t = make(false, false);
	const void *data;

	is_int(transfer_put(t, piece, sizeof(piece)), 0, "a piece");
	is_int(transfer_put(t, piece, sizeof(piece)), 0, "and another one");
	is_int(transfer_put(t, piece, sizeof(piece)), -EAGAIN, "a third does not fit");
	is_int(transfer_wish(t), TRANSFER_GO_ON, "the transfer is paused");
	is_int(transfer_next(t, &data, 60000, until, NULL), 60000, "half is read");
	is_int(transfer_wish(t), TRANSFER_GO_ON, "lent bytes are no room");
	is_int(wakes, 0, "of which the thread is not told");
	is_int(transfer_next(t, &data, 1, until, NULL), 1, "they are given back");
	is_int(wakes, 1, "now it is");
	is_int(transfer_wish(t), TRANSFER_RESUME, "resumed");
	is_int(transfer_wish(t), TRANSFER_GO_ON, "once");
	transfer_finish(t, -EIO);
	is_int(transfer_next(t, &data, 60000, until, NULL), 59999, "all that came");
	is_int(transfer_next(t, &data, 1, until, NULL), -EIO, "comes before an error");
	transfer_close(t);
}

static void test_ends(void)
{
	int64_t until = clock_ms() + 5000, before;
	struct transfer *t = make(true, true);
	struct err e = {""};

	before = until = clock_ms() + 30;
	is_int(transfer_await(t, &until, &e), -ETIMEDOUT, "%s", e.text);
	is_int(until, before, "a silent host gets no more time");
	is_int(moves, 1, "a spare one moves up when it is waited for");
	transfer_close(t);
	is_int(wakes, 1, "a closed one wakes the thread");
	is_int(transfer_wish(t), TRANSFER_END, "which is to end it");
	is_int(drops, 0, "and frees it");
	transfer_finish(t, -ECANCELED);
	is_int(drops, 1, "at its end");

	t = make(false, false);
	transfer_finish(t, -ECONNREFUSED);
	snprintf(t->why, sizeof(t->why), "refused");
	until = clock_ms() + 5000;
	is_int(transfer_await(t, &until, &e), -ECONNREFUSED, "a failure");
	is_text(e.text, "http://host:80: refused", "with its reason");
	transfer_close(t);
	is_int(drops, 1, "is freed by its reader");
	transfer_close(NULL);
}

int main(void)
{
	host = calloc(1, sizeof(*host) + 1);
	if (!host)
		return 77;
	test_body();
	test_pause();
	test_ends();
	free(host);
	return test_done();
}
