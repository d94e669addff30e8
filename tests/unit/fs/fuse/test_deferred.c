/* SPDX-License-Identifier: MIT */
/* Requests that wait have a thread each, and all are answered before the end. */
#include "fs/fuse/deferred.h"

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

static void wait_at_gate(struct deferred *d)
{
	struct gate *g = ((struct guest *)d)->gate;

	pthread_mutex_lock(&g->lock);
	g->n_inside++;
	pthread_cond_broadcast(&g->changed);
	while (!g->is_open)
		pthread_cond_wait(&g->changed, &g->lock);
	g->n_done++;
	pthread_mutex_unlock(&g->lock);
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
	return test_done();
}
