/* SPDX-License-Identifier: MIT */
/*
 * libfuse's loop runs in the main thread; a signal thread ends it. A signal handler could
 * not: the requests that wait for the network have to be woken, which takes locks.
 */
#include "fs/fuse/session.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <fuse_lowlevel.h>

#include "base/buf.h"
#include "base/err.h"
#include "fs/options/log.h"
#include "fs/image/context.h"
#include "fs/fuse/operations.h"
#include "fs/node/nodes.h"
#include "fs/options/options.h"

/* A request that waits for the network occupies a thread. */
#define THREADS_MAX 32

/* The kernel limits them to a page. */
#define ARGS_MAX 4096

/* The mount options for libfuse and the kernel. */
static int make_options(const struct options *o, struct buf *out)
{
	int rc;

	rc = buf_append_text(out, "-oro,subtype=peelfs,fsname=");
	if (rc == 0)
		rc = options_append_escaped(out, o->source);
	if (rc == 0 && o->allow_other)
		rc = buf_append_text(out, ",allow_other");
	if (rc == 0 && o->default_permissions)
		rc = buf_append_text(out, ",default_permissions");
	return rc < 0 ? rc : buf_append_text(out, buf_text(&o->kernel));
}

static struct fuse_session *new_session(struct served *s)
{
	const struct options *o = s->nodes->context->options;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *se = NULL;
	struct buf text;

	buf_init(&text, ARGS_MAX);
	if (make_options(o, &text) == 0 && fuse_opt_add_arg(&args, "peelfs") == 0 &&
	    fuse_opt_add_arg(&args, buf_text(&text)) == 0 &&
	    (!o->debug || fuse_opt_add_arg(&args, "-d") == 0))
		se = fuse_session_new(&args, ops_table(), sizeof(*ops_table()), s);
	fuse_opt_free_args(&args);
	buf_release(&text);
	return se;
}

struct watch {
	struct served *served;
	struct fuse_session *session;
	pthread_t main;
	pthread_t thread;
	bool ended; /* atomic: the loop has been left */
};

static bool has_ended(const struct watch *w)
{
	return __atomic_load_n(&w->ended, __ATOMIC_SEQ_CST);
}

static void *watch_signals(void *arg)
{
	struct timespec pause = {.tv_nsec = 20 * 1000000};
	struct watch *w = arg;
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1); /* end_watch(): the loop has ended by itself */
	do {
		sigwait(&set, &signal);
	} while (signal == SIGUSR1 && !has_ended(w)); /* from elsewhere: ignored */
	if (signal == SIGUSR1)
		return NULL;
	waiters_close(&w->served->nodes->context->waiters);
	pusher_close(&w->served->pusher);
	fuse_session_exit(w->session);
	/*
	 * The loop sees that when its wait is interrupted. A signal that comes just before
	 * the wait is lost, so it is repeated.
	 */
	while (!has_ended(w)) {
		pthread_kill(w->main, SIGUSR2);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void ignore(int signal)
{
	(void)signal;
}

static int start_watch(struct watch *w)
{
	struct sigaction nothing = {.sa_handler = ignore};
	sigset_t set;
	int rc;

	sigaction(SIGUSR2, &nothing, NULL);
	w->main = pthread_self();
	rc = pthread_create(&w->thread, NULL, watch_signals, w);
	if (rc != 0)
		return -rc;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return 0;
}

static void end_watch(struct watch *w)
{
	__atomic_store_n(&w->ended, true, __ATOMIC_SEQ_CST);
	pthread_kill(w->thread, SIGUSR1);
	pthread_join(w->thread, NULL);
}

static int run_loop(struct served *s, struct fuse_session *se, struct err *e)
{
	struct watch w = {.served = s, .session = se};
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int rc;

	if (!config)
		return err_set(e, -ENOMEM, "out of memory");
	fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
	rc = start_watch(&w);
	if (rc == 0) {
		rc = fuse_session_loop_mt(se, config);
		end_watch(&w);
	}
	fuse_loop_cfg_destroy(config);
	return rc < 0 ? err_set(e, rc, "the session with the kernel failed: %s",
				strerror(-rc))
		      : 0;
}

/*
 * libfuse and fusermount3 write their messages to standard error. For the time of a call
 * that is a file in memory, from which the message is taken.
 */
struct stderr_capture {
	int saved; /* -1: nothing is captured */
	int memory;
};

static void capture_begin(struct stderr_capture *h)
{
	fflush(stderr);
	h->memory = memfd_create("stderr", MFD_CLOEXEC);
	h->saved = h->memory < 0 ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (h->saved >= 0)
		dup2(h->memory, STDERR_FILENO);
}

/* The first captured line, without the name of the program; "" if there is none. */
static void capture_end(struct stderr_capture *h, char *text, size_t size)
{
	char *line;
	ssize_t n = -1;

	*text = '\0';
	if (h->saved >= 0) {
		fflush(stderr);
		dup2(h->saved, STDERR_FILENO);
		close(h->saved);
		n = pread(h->memory, text, size - 1, 0);
	}
	if (h->memory >= 0)
		close(h->memory);
	if (n <= 0)
		return;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	line = strstr(text, ": ");
	if (line && strncmp(text, "fuse", 4) == 0) /* or fusermount3 */
		memmove(text, line + 2, strlen(line + 2) + 1);
}

static struct fuse_session *mounted_session(struct served *s, struct err *e)
{
	const struct context *c = s->nodes->context;
	struct fuse_session *se;
	struct stderr_capture capture;
	char why[256];
	bool is_mounted;

	capture_begin(&capture);
	se = new_session(s);
	is_mounted = se && fuse_session_mount(se, c->mountpoint) == 0;
	capture_end(&capture, why, sizeof(why));
	if (is_mounted) {
		if (why[0])
			log_warn(c->log, "%s", why);
		return se;
	}
	err_set(e, se ? -EIO : -EINVAL, "%s%s%s%s",
		se ? "cannot mount at " : "libfuse rejected the mount options",
		se ? c->mountpoint : "", why[0] ? ": " : "", why);
	if (se)
		fuse_session_destroy(se);
	return NULL;
}

int session_run(const struct nodes *n, void (*ready)(void *arg), void *arg, struct err *e)
{
	struct served s = {.nodes = n, .ready = ready, .arg = arg};
	struct fuse_session *se = mounted_session(&s, e);
	int rc;

	if (!se)
		return -EIO;
	pusher_init(&s.pusher, n, se);
	rc = run_loop(&s, se, e);
	fuse_session_unmount(se);
	fuse_session_destroy(se);
	pusher_release(&s.pusher);
	return rc;
}
