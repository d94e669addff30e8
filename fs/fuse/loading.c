/* SPDX-License-Identifier: MIT */
#include "fs/fuse/loading.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "fs/fuse/daemon.h"
#include "fs/image/progress.h"
#include "fs/node/mount.h"
#include "fs/options/log.h"

/* How long the load may go on after a reason to stop. */
#define GRACE_MS 2000
/* Between two drawings of the bar. */
#define TICK_MS 100

/* A load that does not end: as mount(8), mount failure. */
#define EXIT_STUCK 32

struct loader {
	struct loading *loading;
	pthread_t watcher;
	bool done; /* atomic */
	int result;
	struct err err;
};

static void *run_loader(void *arg)
{
	struct loader *l = arg;

	l->result = l->loading->load(l->loading->mount, &l->err);
	__atomic_store_n(&l->done, true, __ATOMIC_SEQ_CST);
	pthread_kill(l->watcher, SIGUSR1);
	return NULL;
}

/* The next signal, or 0 after a tick. */
static int next_signal(const struct loading *l)
{
	struct timespec time = {.tv_nsec = TICK_MS * 1000000L};
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (l->takes_signals) {
		sigaddset(&set, SIGHUP);
		sigaddset(&set, SIGINT);
		sigaddset(&set, SIGTERM);
	}
	signal = sigtimedwait(&set, NULL, &time);
	return signal < 0 ? 0 : signal;
}

static bool has_to_stop(const struct loading *l, int signal)
{
	return (signal && signal != SIGUSR1) || daemon_is_orphan(l->daemon) ||
	       __atomic_load_n(&l->stop, __ATOMIC_SEQ_CST);
}

/* Waits for the loader, but after a reason to stop only for the grace time: -EINTR. */
static int watch(struct loading *l, const struct loader *loader)
{
	struct context *c = &l->mount->context;
	struct progress progress;
	int left = INT_MAX, signal;

	progress_init(&progress, &l->mount->images, c->log);
	while (!__atomic_load_n(&loader->done, __ATOMIC_SEQ_CST) && left > 0) {
		progress_draw(&progress);
		signal = next_signal(l);
		if (left == INT_MAX && has_to_stop(l, signal)) {
			context_end(c);
			left = GRACE_MS;
		} else if (left < INT_MAX && signal == 0) {
			left -= TICK_MS;
		}
	}
	progress_wipe(&progress);
	return left == INT_MAX ? 0 : -EINTR;
}

int loading_run(struct loading *l, struct err *e)
{
	struct loader loader = {.loading = l, .watcher = pthread_self()};
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, run_loader, &loader);

	if (rc != 0)
		return err_set(e, -rc, "cannot start a thread: %s", strerror(rc));
	rc = watch(l, &loader);
	if (!__atomic_load_n(&loader.done, __ATOMIC_SEQ_CST)) {
		log_error(l->mount->context.log, "interrupted");
		daemon_tell(l->daemon, EXIT_STUCK);
		_exit(EXIT_STUCK);
	}
	pthread_join(thread, NULL);
	if (rc == -EINTR || loader.result == -EINTR || loader.result == -ECANCELED)
		return err_set(e, -EINTR, "interrupted");
	*e = loader.err;
	return loader.result;
}
