/* SPDX-License-Identifier: MIT */
/*
 * libfuse's loop runs in the main thread; a signal thread ends it. A signal handler could
 * not: the requests that wait for the network have to be woken, which takes locks.
 */
#include "fs/fuse/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <fuse_lowlevel.h>

#include "base/buf.h"
#include "base/err.h"
#include "fs/options/log.h"
#include "fs/image/context.h"
#include "fs/fuse/detached.h"
#include "fs/fuse/operations.h"
#include "fs/fuse/init_reply.h"
#include "fs/fuse/served.h"
#include "fs/node/nodes.h"
#include "fs/options/options.h"
#include "fs/tree/short_inos.h"

/* Requests that have to wait leave these workers (deferred.h). */
#define THREADS_MAX 10

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

/* How long no request waits once the mount is detached. */
#define CANCEL_MS 2000
/* How often changes of mounts are looked at, at most. */
#define LOOK_MS 100

struct watch {
	const struct session *of;
	struct served *served;
	struct fuse_session *session;
	pthread_t main;
	pthread_t thread;
	int signals; /* signalfd */
	int ending;  /* eventfd: the loop has ended */
	struct detached own;
	struct detached *detached;
};

static bool has_ended(const struct watch *w, int timeout_ms)
{
	struct pollfd fd = {.fd = w->ending, .events = POLLIN};

	return poll(&fd, 1, timeout_ms) > 0;
}

/* A signal came: ends the loop. */
static void end_loop(struct watch *w)
{
	waiters_close(&w->served->nodes->context->waiters);
	pusher_close(&w->served->pusher);
	fuse_session_exit(w->session);
	/*
	 * The main thread notices when a signal interrupts its wait. One that comes just before
	 * the wait is lost, so it is repeated.
	 */
	do {
		pthread_kill(w->main, SIGUSR2);
	} while (!has_ended(w, 20));
}

/*
 * The mount was detached (umount -l). Processes that wait for the network would keep it, and
 * this daemon, alive, so their waits end, and so do those that begin soon after: the kernel
 * repeats a read that failed as readahead, and of many lookups of one name it sends the next
 * when one has failed. Later requests are served as before.
 */
static void cancel_for_a_while(struct watch *w)
{
	struct waiters *waiters = &w->served->nodes->context->waiters;

	waiters_close(waiters);
	if (!has_ended(w, CANCEL_MS))
		waiters_open(waiters);
}

static void *watch_session(void *arg)
{
	struct watch *w = arg;
	struct pollfd fds[] = {
		{.fd = w->ending, .events = POLLIN},
		{.fd = w->signals, .events = POLLIN},
		{.fd = w->detached->fd, .events = POLLPRI},
	};

	for (;;) {
		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		if (fds[1].revents) {
			end_loop(w);
			return NULL;
		}
		if (fds[2].revents && detached_check(w->detached)) {
			fds[2].fd = -1;
			if (w->of->users)
				w->of->left(w->of->arg);
			cancel_for_a_while(w);
		} else if (has_ended(w, LOOK_MS)) { /* mounts may change all the time */
			return NULL;
		}
	}
}

static void ignore(int signal)
{
	(void)signal;
}

static int start_watch(struct watch *w)
{
	struct sigaction nothing = {.sa_handler = ignore};
	sigset_t set;
	int rc = 0;

	sigaction(SIGUSR2, &nothing, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	w->main = pthread_self();
	w->signals = signalfd(-1, &set, SFD_CLOEXEC);
	w->ending = eventfd(0, EFD_CLOEXEC);
	if (w->signals < 0 || w->ending < 0)
		rc = -errno;
	if (!w->of->users)
		detached_open(&w->own, w->of->at);
	w->detached = w->of->users ? w->of->users : &w->own;
	if (rc == 0)
		rc = -pthread_create(&w->thread, NULL, watch_session, w);
	if (rc < 0)
		return rc;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return 0;
}

static void end_watch(struct watch *w)
{
	eventfd_write(w->ending, 1);
	pthread_join(w->thread, NULL);
}

/* Also after start_watch() has failed. */
static void release_watch(struct watch *w)
{
	if (!w->of->users)
		detached_close(&w->own);
	if (w->signals >= 0)
		close(w->signals);
	if (w->ending >= 0)
		close(w->ending);
}

static int run_loop(const struct session *of, struct served *s, struct fuse_session *se,
		    struct err *e)
{
	struct watch w = {.of = of, .served = s, .session = se, .own.fd = -1};
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
	release_watch(&w);
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
	int code; /* an errno: why nothing is captured */
};

static void capture_begin(struct stderr_capture *h)
{
	fflush(stderr);
	h->memory = memfd_create("stderr", MFD_CLOEXEC);
	h->saved = h->memory < 0 ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	h->code = h->saved < 0 ? errno : 0;
	if (h->saved >= 0)
		dup2(h->memory, STDERR_FILENO);
}

/*
 * The first captured line, without the name of the program. "" if there is none; the errno's
 * text if nothing could be captured.
 */
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
	if (h->code)
		snprintf(text, size, "%s", strerror(h->code));
	if (n <= 0)
		return;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	line = strstr(text, ": ");
	if (line && strncmp(text, "fuse", 4) == 0) /* or fusermount3 */
		memmove(text, line + 2, strlen(line + 2) + 1);
}

static struct fuse_session *mounted_session(struct served *s, const char *at,
					    struct err *e)
{
	const struct context *c = s->nodes->context;
	struct fuse_session *se;
	struct stderr_capture capture;
	char why[256];
	bool is_mounted;
	int code = -EIO;

	capture_begin(&capture);
	se = new_session(s);
	is_mounted = se && fuse_session_mount(se, at) == 0;
	if (is_mounted)
		init_reply_set_up(se, s,
				  c->options->default_permissions &&
					  strncmp(at, "/dev/fd/", 8) != 0);
	capture_end(&capture, why, sizeof(why));
	if (is_mounted) {
		if (why[0] && !capture.code)
			log_warn(c->log, "%s", why);
		return se;
	}
	/* libfuse gives no errno. */
	if (strstr(why, strerror(EMFILE)))
		code = -EMFILE;
	err_set(e, code, "%s%s%s%s",
		se ? "cannot mount at " : "libfuse rejected the mount options",
		se ? c->mountpoint : "", why[0] ? ": " : "", why);
	if (se)
		fuse_session_destroy(se);
	return NULL;
}

int session_run(const struct session *of, struct err *e)
{
	const struct nodes *n = of->nodes;
	struct served s = {.nodes = n, .ready = of->ready, .arg = of->arg};
	struct fuse_session *se;
	int rc;

	if (n->context->options->ino32 && short_inos_new(&s.inos) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	se = mounted_session(&s, of->at, e);
	if (!se) {
		short_inos_free(s.inos);
		return -EIO;
	}
	pusher_init(&s.pusher, n, se);
	deferred_init(&s.deferred);
	rc = run_loop(of, &s, se, e);
	/* Whatever a request still waits for ends now. */
	waiters_close(&n->context->waiters);
	context_end(n->context);
	deferred_close(&s.deferred);
	fuse_session_unmount(se);
	fuse_session_destroy(se);
	pusher_release(&s.pusher);
	deferred_release(&s.deferred);
	short_inos_free(s.inos);
	return rc;
}
