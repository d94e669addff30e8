/* SPDX-License-Identifier: MIT */
#include "fs/image/workers.h"

#include <errno.h>
#include <unistd.h>

#include "fs/image/waiters.h"
#include "tests/unit/test.h"

static int n_worked, n_tidied; /* atomic */

static int get(const int *n)
{
	return __atomic_load_n(n, __ATOMIC_SEQ_CST);
}

static void count(void *n)
{
	__atomic_add_fetch((int *)n, 1, __ATOMIC_SEQ_CST);
}

static void work_slowly(void *arg)
{
	usleep(50000);
	count(arg);
}

static void check_close(void)
{
	struct workers ws;
	int i, rc = 0;

	workers_init(&ws);
	for (i = 0; rc == 0 && i < 3; i++)
		rc = workers_start(&ws, work_slowly, &n_worked);
	is_int(rc, 0, "threads start");
	workers_close(&ws);
	is_int(get(&n_worked), 3, "closing waits for them");
	is_int(workers_start(&ws, work_slowly, &n_worked), -ECANCELED,
	       "none starts later");
	workers_release(&ws);
}

static void check_tidy(void)
{
	struct workers ws;
	int i;

	workers_init(&ws);
	workers_set_tidy(&ws, count, &n_tidied);
	workers_tidy_soon(&ws);
	is_int(get(&n_tidied), 0, "nothing is to be tidied before the first thread");
	is_int(workers_start(&ws, count, &n_worked), 0, "which starts");
	for (i = 0; i < 500 && get(&n_tidied) == 0; i++)
		usleep(10000);
	ok(get(&n_tidied) > 0, "then it is done soon");
	workers_close(&ws);
	workers_release(&ws);
}

/* TASKS */

struct slow {
	struct task task;
	int result;
	int delay; /* us */
};

static int run_slow(struct task *t)
{
	struct slow *s = (struct slow *)t;

	usleep((useconds_t)s->delay);
	count(&n_worked);
	return s->result;
}

static struct task *new_slow(int result, int delay)
{
	struct slow *s = calloc(1, sizeof(*s));

	if (!s)
		exit(1);
	*s = (struct slow){{.run = run_slow}, result, delay};
	return &s->task;
}

static void watch(struct waiter *w, bool on)
{
	if (on)
		waiter_cancel(w); /* as an interrupt that comes at once */
}

static void check_task(void)
{
	struct waiters waiters;
	struct waiter w = {.all = &waiters, .watch = watch};
	struct workers ws;
	int worked = get(&n_worked);

	waiters_init(&waiters);
	workers_init(&ws);
	is_int(task_run(&ws, new_slow(-ENOENT, 0), NULL), -ENOENT, "the task's result");
	is_int(task_run(&ws, new_slow(0, 200000), &w), -EINTR, "an interrupted wait");
	workers_close(&ws);
	is_int(get(&n_worked), worked + 2, "the task ends all the same");
	is_int(task_run(&ws, new_slow(0, 0), NULL), -ECANCELED, "after the end");
	workers_release(&ws);
	waiters_release(&waiters);
}

int main(void)
{
	check_close();
	check_tidy();
	check_task();
	return test_done();
}
