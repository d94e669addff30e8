/* SPDX-License-Identifier: MIT */
#include "fs/image/lazy.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/err.h"
#include "fs/image/table.h"
#include "fs/image/waiters.h"
#include "fs/image/workers.h"
#include "tests/unit/test.h"

static void check_life(void)
{
	struct lazy_set set;
	struct lazy lazy, other;
	struct err why = {"no route to host"}, e = {""};

	lazy_set_init(&set);
	lazy_init(&lazy);
	lazy_init(&other);
	ok(!lazy_pin(&lazy), "an absent object cannot be pinned");
	ok(!lazy_is_busy(&set, &lazy), "nor is it being made");
	is_int(lazy_need(&set, &lazy, NULL), 1, "the first to need it makes it");
	ok(lazy_is_busy(&set, &lazy), "it is being made");
	lazy_made(&set, &lazy, 0);
	ok(!lazy_is_busy(&set, &lazy), "and is made");
	ok(lazy_pin(&lazy), "then it can be pinned");
	is_int(lazy_need(&set, &lazy, NULL), 0, "needing it pins it");
	ok(!lazy_set_take_unused(&set, 0, 0), "a pinned object is not freed");
	lazy_unpin(&lazy);
	lazy_unpin(&lazy);
	lazy_unpin(&lazy);
	ok(!lazy_set_take_unused(&set, 1000, 1), "nor one that was used recently");
	is_int(lazy_need(&set, &other, NULL), 1, "a second one");
	lazy_made(&set, &other, 0);
	ok(lazy_set_take_unused(&set, 1000, 1) == &lazy, "unless there are too many");
	ok(!lazy_pin(&lazy), "while it is freed it cannot be pinned");
	lazy_gone(&set, &lazy);
	is_int(lazy_need(&set, &lazy, NULL), 1, "but made again afterwards");
	lazy_note(&set, &lazy, &why);
	lazy_made(&set, &lazy, -EIO);
	is_int(lazy_need(&set, &lazy, NULL), -EIO, "a failure is remembered");
	is_int(lazy_recall(&set, &lazy, -EIO, &e), -EIO, "and its errno");
	is_text(e.text, why.text, "and its sentence");
	lazy_unpin(&other);
	ok(lazy_set_take_unused(&set, 0, 0) == &other, "an idle object is freed");
	lazy_gone(&set, &other);
	is_int(set.n, 0, "nothing is left");
	lazy_release(&lazy);
	lazy_set_release(&set);
}

/* Many threads pin and free; the one that makes the object must be alone. */

struct race {
	struct lazy_set set;
	struct lazy lazy;
	int there;   /* what it stands for */
	int made;    /* atomic */
	bool failed; /* atomic */
};

static void *need(void *arg)
{
	struct race *r = arg;
	int i, rc;

	for (i = 0; i < 2000; i++) {
		rc = lazy_need(&r->set, &r->lazy, NULL);
		if (rc == 1) {
			if (r->there != 0)
				__atomic_store_n(&r->failed, true, __ATOMIC_RELAXED);
			r->there = 1;
			__atomic_add_fetch(&r->made, 1, __ATOMIC_RELAXED);
			lazy_made(&r->set, &r->lazy, 0);
		}
		if (r->there != 1)
			__atomic_store_n(&r->failed, true, __ATOMIC_RELAXED);
		lazy_unpin(&r->lazy);
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
		lazy_gone(&r->set, &r->lazy);
	}
	return NULL;
}

static void check_race(void)
{
	struct race r = {.there = 0};
	pthread_t threads[5];
	size_t i;

	lazy_set_init(&r.set);
	lazy_init(&r.lazy);
	for (i = 0; i < 5; i++)
		pthread_create(&threads[i], NULL, i < 4 ? need : take, &r);
	for (i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	ok(!r.failed, "one thread makes it, none sees it half made");
	ok(r.made >= 1, "made %d times", r.made);
	lazy_set_release(&r.set);
}

struct interrupted {
	struct lazy_set *set;
	struct lazy *lazy;
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

	i->result = lazy_need(i->set, i->lazy, &i->waiter);
	return NULL;
}

/* @all: by the end of the mount; else by an interrupt. */
static void check_interrupt(bool all)
{
	struct lazy_set set;
	struct lazy lazy;
	struct interrupted i = {.set = &set, .lazy = &lazy};
	pthread_t thread;

	lazy_set_init(&set);
	lazy_init(&lazy);
	waiters_init(&i.waiters);
	i.waiter = (struct waiter){.all = &i.waiters, .watch = watch, .arg = &i};
	is_int(lazy_need(&set, &lazy, NULL), 1, "one begins to make it");
	pthread_create(&thread, NULL, wait_for_it, &i);
	while (!__atomic_load_n(&i.is_watched, __ATOMIC_SEQ_CST))
		usleep(1000);
	if (all)
		waiters_close(&i.waiters);
	else
		waiter_cancel(&i.waiter);
	pthread_join(thread, NULL);
	is_int(i.result, -EINTR, "a wait can be interrupted");
	ok(!i.is_watched, "then interrupts do not matter any more");
	lazy_made(&set, &lazy, 0);
	is_int(lazy_need(&set, &lazy, &i.waiter), 0, "the other made it all the same");
	waiters_release(&i.waiters);
	lazy_set_release(&set);
}

/* MADE BY ANOTHER THREAD */

struct made {
	struct lazy lazy;
	struct lazy_set *set;
	int result;
	int n; /* atomic */
};

static void make(void *arg)
{
	struct made *m = arg;

	usleep(20000);
	__atomic_add_fetch(&m->n, 1, __ATOMIC_SEQ_CST);
	lazy_made_unpinned(m->set, &m->lazy, m->result);
}

static void cancel_at_once(struct waiter *w, bool on)
{
	if (on)
		waiter_cancel(w);
}

static void check_await(void)
{
	struct lazy_set set;
	struct waiters waiters;
	struct waiter w = {.all = &waiters, .watch = cancel_at_once};
	struct made good = {.set = &set}, bad = {.set = &set, .result = -EIO};
	struct made late = {.set = &set};
	struct workers ws;

	lazy_set_init(&set);
	waiters_init(&waiters);
	workers_init(&ws);
	lazy_init(&good.lazy);
	lazy_init(&bad.lazy);
	lazy_init(&late.lazy);
	is_int(lazy_await(&set, &good.lazy, &ws, make, &good, &w), -EINTR,
	       "a wait for a thread can be interrupted");
	is_int(lazy_await(&set, &good.lazy, &ws, make, &good, NULL), 0,
	       "the thread makes it all the same");
	is_int(good.n, 1, "once");
	lazy_unpin(&good.lazy);
	is_int(lazy_await(&set, &bad.lazy, &ws, make, &bad, NULL), -EIO, "a failure");
	is_int(lazy_await(&set, &bad.lazy, &ws, make, &bad, NULL), -EIO,
	       "a moment later");
	is_int(bad.n, 1, "is not repeated");
	workers_close(&ws);
	is_int(good.lazy.pins, 0, "each pin was given back");
	is_int(lazy_await(&set, &late.lazy, &ws, make, &late, NULL), -ECANCELED,
	       "nothing is made at the end of the mount");
	is_int(lazy_await(&set, &good.lazy, &ws, make, &good, NULL), 0,
	       "what is present can be pinned");
	lazy_unpin(&good.lazy);
	workers_release(&ws);
	waiters_release(&waiters);
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
	check_await();
	check_table();
	return test_done();
}
