/* SPDX-License-Identifier: MIT */
#include "fs/image/lazy.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "fs/image/table.h"
#include "fs/image/waiters.h"
#include "tests/unit/test.h"

static void check_life(void)
{
	struct lazy_set set;
	struct lazy h, other;

	lazy_set_init(&set);
	lazy_init(&h);
	lazy_init(&other);
	ok(!lazy_pin(&h), "what is not there cannot be pinned");
	is_int(lazy_need(&set, &h, NULL), 1, "who needs it first makes it");
	lazy_made(&set, &h, 0);
	ok(lazy_pin(&h), "then it can be pinned");
	is_int(lazy_need(&set, &h, NULL), 0, "by who needs it, too");
	ok(!lazy_set_take_unused(&set, 0, 0), "what is pinned is not given back");
	lazy_unpin(&h);
	lazy_unpin(&h);
	lazy_unpin(&h);
	ok(!lazy_set_take_unused(&set, 1000, 1), "nor what was used a moment ago");
	is_int(lazy_need(&set, &other, NULL), 1, "a second one");
	lazy_made(&set, &other, 0);
	ok(lazy_set_take_unused(&set, 1000, 1) == &h, "unless there are too many");
	ok(!lazy_pin(&h), "what is given back cannot be pinned");
	lazy_gone(&set, &h);
	is_int(lazy_need(&set, &h, NULL), 1, "but made again");
	lazy_made(&set, &h, -EIO);
	is_int(lazy_need(&set, &h, NULL), -EIO, "a failure is remembered");
	lazy_unpin(&other);
	ok(lazy_set_take_unused(&set, 0, 0) == &other, "what nobody uses is given back");
	lazy_gone(&set, &other);
	is_int(set.n, 0, "nothing is left");
	lazy_set_release(&set);
}

/* Many threads take and give back; each that makes it must be alone. */

struct race {
	struct lazy_set set;
	struct lazy h;
	int there;   /* what the hold stands for */
	int made;    /* atomic */
	bool failed; /* atomic */
};

static void *need(void *arg)
{
	struct race *r = arg;
	int i, rc;

	for (i = 0; i < 2000; i++) {
		rc = lazy_need(&r->set, &r->h, NULL);
		if (rc == 1) {
			if (r->there != 0)
				__atomic_store_n(&r->failed, true, __ATOMIC_RELAXED);
			r->there = 1;
			__atomic_add_fetch(&r->made, 1, __ATOMIC_RELAXED);
			lazy_made(&r->set, &r->h, 0);
		}
		if (r->there != 1)
			__atomic_store_n(&r->failed, true, __ATOMIC_RELAXED);
		lazy_unpin(&r->h);
	}
	return NULL;
}

static void *take(void *arg)
{
	struct race *r = arg;
	int i;

	for (i = 0; i < 2000; i++) {
		if (!lazy_set_take_unused(&r->set, 0, 0))
			continue;
		r->there = 0;
		lazy_gone(&r->set, &r->h);
	}
	return NULL;
}

static void check_race(void)
{
	struct race r = {.there = 0};
	pthread_t threads[5];
	size_t i;

	lazy_set_init(&r.set);
	lazy_init(&r.h);
	for (i = 0; i < 5; i++)
		pthread_create(&threads[i], NULL, i < 4 ? need : take, &r);
	for (i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	ok(!r.failed, "one makes it, nobody sees it half");
	ok(r.made >= 1, "made %d times", r.made);
	lazy_set_release(&r.set);
}

struct interrupted {
	struct lazy_set *set;
	struct lazy *h;
	struct waiters waiters;
	struct waiter waiter;
	bool is_watched; /* atomic */
	int result;
};

static void watch(struct waiter *w, bool on)
{
	struct interrupted *i = w->arg;

	__atomic_store_n(&i->is_watched, on, __ATOMIC_SEQ_CST);
}

static void *wait_for_it(void *arg)
{
	struct interrupted *i = arg;

	i->result = lazy_need(i->set, i->h, &i->waiter);
	return NULL;
}

/* @all: by the end of the mount; else by an interrupt. */
static void check_interrupt(bool all)
{
	struct lazy_set set;
	struct lazy h;
	struct interrupted i = {.set = &set, .h = &h};
	pthread_t thread;

	lazy_set_init(&set);
	lazy_init(&h);
	waiters_init(&i.waiters);
	i.waiter = (struct waiter){.all = &i.waiters, .watch = watch, .arg = &i};
	is_int(lazy_need(&set, &h, NULL), 1, "one begins to make it");
	pthread_create(&thread, NULL, wait_for_it, &i);
	while (!__atomic_load_n(&i.is_watched, __ATOMIC_SEQ_CST))
		usleep(1000);
	if (all)
		waiters_close(&i.waiters);
	else
		waiter_cancel(&i.waiter);
	pthread_join(thread, NULL);
	is_int(i.result, -EINTR, "who waits can be interrupted");
	ok(!i.is_watched, "and is watched no more");
	lazy_made(&set, &h, 0);
	is_int(lazy_need(&set, &h, &i.waiter), 0, "the other made it all the same");
	waiters_release(&i.waiters);
	lazy_set_release(&set);
}

static void check_table(void)
{
	static struct table t;
	static int items[TABLE_CHUNK + 2];
	uint32_t i, number;
	bool good = true;

	ok(!table_get(&t, 0), "an empty table has nothing");
	for (i = 0; i < TABLE_CHUNK + 2; i++) {
		if (table_add(&t, &items[i], &number) < 0 || number != i)
			good = false;
	}
	for (i = 0; i < TABLE_CHUNK + 2; i++)
		good &= table_get(&t, i) == &items[i];
	ok(good, "numbers ascend and lead to what they stand for");
	ok(!table_get(&t, i) && !table_get(&t, UINT32_MAX), "and no others do");
	table_release(&t);
}

int main(void)
{
	check_life();
	check_race();
	check_interrupt(false);
	check_interrupt(true);
	check_table();
	return test_done();
}
