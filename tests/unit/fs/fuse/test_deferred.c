/* SPDX-License-Identifier: MIT */
/* Requests that wait have a thread each, and all are answered before the end. */
#include "fs/fuse/deferred.h"

#include <errno.h>

#include "tests/unit/test.h"

#define N_REQUESTS 100

/* A request that waits until the gate is open. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_open;
	unsigned n_inside, n_done;
};

struct guest {
	struct deferred deferred;
	struct gate *gate;
};

static void pass_gate(struct deferred *d)
{
	struct gate *g = ((struct guest *)d)->gate;

	pthread_mutex_lock(&g->lock);
	g->n_inside++;
	pthread_cond_broadcast(&g->changed);
	while (!g->is_open)
		pthread_cond_wait(&g->changed, &g->lock);
	g->n_done++;
	pthread_mutex_unlock(&g->lock);
}

static void wait_at_gate(struct deferred *d)
{
	pass_gate(d);
	free(d);
}

static int send_guest(struct deferred_queue *q, struct gate *g)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	int rc;

	if (!guest)
		exit(1);
	guest->gate = g;
	guest->deferred.work = wait_at_gate;
	rc = deferred_add(q, &guest->deferred);
	if (rc < 0)
		free(guest);
	return rc;
}

static void wait_for_guests(struct gate *g, unsigned n)
{
	pthread_mutex_lock(&g->lock);
	while (g->n_inside < n)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void open_gate(struct gate *g, bool is_open)
{
	pthread_mutex_lock(&g->lock);
	g->is_open = is_open;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

/* With all threads busy, a request can be taken out before its turn. */
static void test_cancel(void)
{
	struct gate g = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0,
			 0};
	struct guest guests[5] = {0};
	struct deferred_queue q;
	size_t i;

	deferred_init(&q);
	q.max_threads = 1;
	is_int(send_guest(&q, &g), 0, "one request has the only thread");
	wait_for_guests(&g, 1);
	for (i = 0; i < 5; i++) {
		guests[i].gate = &g;
		guests[i].deferred.work = pass_gate;
	}
	for (i = 0; i < 4; i++)
		is_int(deferred_add(&q, &guests[i].deferred), 0, "another waits");
	ok(deferred_cancel(&q, &guests[3].deferred), "the last one is taken out");
	ok(deferred_cancel(&q, &guests[0].deferred), "and the first one");
	ok(!deferred_cancel(&q, &guests[0].deferred), "not twice");
	ok(!deferred_cancel(&q, &guests[4].deferred),
	   "one that was not added is not there");
	is_int(deferred_add(&q, &guests[4].deferred), -EINTR,
	       "and is not taken any more");
	guests[4].deferred.is_cancelled = false;
	is_int(deferred_add(&q, &guests[4].deferred), 0, "others are");
	open_gate(&g, true);
	deferred_close(&q);
	is_int(g.n_done, 4, "the rest is done");
	deferred_release(&q);
}

int main(void)
{
	struct gate g = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0,
			 0};
	struct deferred_queue q;
	unsigned i;
	int rc = 0;

	deferred_init(&q);
	for (i = 0; i < N_REQUESTS; i++)
		rc |= send_guest(&q, &g);
	is_int(rc, 0, "all are taken");
	wait_for_guests(&g, N_REQUESTS);
	ok(true, "and none waits for another");

	open_gate(&g, true);
	for (i = 0; i < N_REQUESTS; i++)
		rc |= send_guest(&q, &g);
	is_int(rc, 0, "more come");
	deferred_close(&q);
	is_int(g.n_done, 2 * N_REQUESTS, "at the end all are done");
	is_int(q.n_threads, 0, "and no thread is left");
	deferred_release(&q);
	test_cancel();
	return test_done();
}
