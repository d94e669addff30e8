/* SPDX-License-Identifier: MIT */
/*
 * init and the program are in a session without a terminal, or with a new one: a program that
 * shares the user's could type into it (TIOCSTI). So what the terminal signals is passed on.
 */
#include "fs/run/sandbox.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "fs/run/fdpass.h"
#include "fs/run/ids.h"
#include "fs/run/init.h"
#include "fs/run/relay.h"
#include "fs/run/server.h"
#include "fs/run/spec.h"

/* The time that peelfs has for an orderly end. */
#define GRACE_MS 2000

struct sandbox {
	const struct run_spec *spec;
	struct ids ids;
	pid_t init, server; /* 0: has ended, or was not started */
	int control;	    /* to init */
	int signals;	    /* signalfd */
	bool is_started;    /* the program runs */
	int status;	    /* what init ended with; -1: it has not */
	int server_signal;  /* that ended peelfs; 0: none */
	struct relay relay;
};

/* SIGNALS */

static const int passed[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,
			     SIGUSR2, SIGALRM, SIGTSTP, SIGCONT};

static void signals_of(sigset_t *set)
{
	size_t i;

	sigemptyset(set);
	for (i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		sigaddset(set, passed[i]);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGWINCH);
}

static void pass(const struct sandbox *s, int number, bool to_group)
{
	struct init_signal message;

	memset(&message, 0, sizeof(message));
	message.number = number;
	message.to_group = to_group;
	(void)!send(s->control, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Ctrl-Z: SIGSTOP, because the program's session has no shell that could continue it. */
static void stop(struct sandbox *s)
{
	if (s->is_started)
		pass(s, SIGSTOP, true);
	relay_suspend(&s->relay);
	raise(SIGSTOP);
	relay_resume(&s->relay);
}

/* While the image loads nothing has begun that could be ended in an orderly way. */
static void give_up(struct sandbox *s, int number)
{
	if (s->init > 0)
		kill(s->init, SIGKILL);
	s->status = RUN_SIGNALLED + number;
}

static void status_of(struct sandbox *s, pid_t pid, int status)
{
	if (pid == s->server) {
		s->server = 0;
		s->server_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	} else if (pid == s->init) {
		s->init = 0;
		if (s->status < 0)
			s->status = WIFSIGNALED(status) ? RUN_SIGNALLED + WTERMSIG(status)
							: WEXITSTATUS(status);
	}
}

static void reap(struct sandbox *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		status_of(s, pid, status);
}

static void take_signal(struct sandbox *s)
{
	struct signalfd_siginfo info;
	int number;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return;
	number = (int)info.ssi_signo;
	if (number == SIGCHLD)
		reap(s);
	else if (number == SIGWINCH)
		relay_resize(&s->relay);
	else if (number == SIGTSTP)
		stop(s);
	else if (s->is_started)
		/* The terminal sends to a group. */
		pass(s, number, info.ssi_code == SI_KERNEL || number == SIGCONT);
	else if (number == SIGHUP || number == SIGINT || number == SIGQUIT ||
		 number == SIGTERM)
		give_up(s, number);
}

/* SERVING */

static void take_message(struct sandbox *s)
{
	char word;
	int fd, rc = fdpass_receive(s->control, &fd, &word);

	if (rc <= 0) {
		/* init has ended: SIGCHLD follows. */
		close(s->control);
		s->control = -1;
	} else if (word == INIT_TERMINAL && fd >= 0) {
		relay_attach(&s->relay, fd);
	} else if (word == INIT_STARTED) {
		s->is_started = true;
	}
}

static void serve(struct sandbox *s)
{
	struct pollfd fds[2 + RELAY_FDS];

	while (s->init > 0 || !relay_is_done(&s->relay)) {
		fds[0] = (struct pollfd){s->signals, POLLIN, 0};
		fds[1] = (struct pollfd){s->control, POLLIN, 0};
		relay_fill(&s->relay, fds + 2);
		if (poll(fds, 2 + RELAY_FDS, -1) < 0)
			continue;
		relay_move(&s->relay, fds + 2);
		/* What init has said before it ended comes first. */
		if (fds[1].revents)
			take_message(s);
		else if (fds[0].revents)
			take_signal(s);
	}
	relay_close(&s->relay);
}

/* Its own sentence is missing if a signal ended it. */
static void explain_server(const struct sandbox *s)
{
	if (s->server == 0 && s->server_signal != 0 && s->status == RUN_FAILED)
		fprintf(stderr, "peelctl: signal %d ended peelfs\n", s->server_signal);
}

/* The mount is gone, so peelfs ends; it is asked in case it never had one. */
static void end_server(struct sandbox *s)
{
	struct pollfd fd = {.fd = s->signals, .events = POLLIN};
	struct signalfd_siginfo info;

	reap(s);
	explain_server(s);
	if (s->server > 0)
		kill(s->server, SIGTERM);
	while (reap(s), s->server > 0) {
		if (poll(&fd, 1, GRACE_MS) <= 0)
			break;
		(void)!read(s->signals, &info, sizeof(info));
	}
	if (s->server > 0) {
		kill(s->server, SIGKILL);
		waitpid(s->server, NULL, 0);
	}
}

/* STARTING */

static pid_t clone_init(bool has_network)
{
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
			 (has_network ? 0 : CLONE_NEWNET),
		.exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	return pid < 0 ? -errno : (pid_t)pid;
}

static int start_init(struct sandbox *s, int control, int peelfs, struct err *e)
{
	const struct init i = {s->spec, &s->ids, control, peelfs};
	char go = INIT_GO;
	int rc;

	s->init = clone_init(s->spec->has_network);
	if (s->init == 0) {
		close(s->control);
		_exit(init_main(&i));
	}
	if (s->init < 0) {
		rc = s->init;
		s->init = 0;
		return err_set(e, rc,
			       "this machine allows no user namespace: %s (see "
			       "user_namespaces(7); sysctl user.max_user_namespaces and "
			       "kernel.unprivileged_userns_clone)",
			       strerror(-rc));
	}
	rc = ids_apply(&s->ids, s->init, e);
	if (rc == 0 && send(s->control, &go, 1, MSG_NOSIGNAL) < 0)
		rc = err_set(e, -errno, "init has ended");
	return rc;
}

static int start(struct sandbox *s, int control, const int peelfs[2],
		 const sigset_t *mask, struct err *e)
{
	bool all_root = s->ids.is_single;

	s->server = server_start(s->spec, all_root, peelfs[0], mask);
	if (s->server < 0) {
		int rc = s->server;

		s->server = 0;
		return err_set(e, rc, "cannot start a process: %s", strerror(-rc));
	}
	close(peelfs[0]);
	return start_init(s, control, peelfs[1], e);
}

static int watch_signals(struct sandbox *s, sigset_t *old)
{
	sigset_t set;

	signals_of(&set);
	sigprocmask(SIG_BLOCK, &set, old);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return s->signals < 0 ? -errno : 0;
}

int sandbox_run(const struct run_spec *spec)
{
	struct sandbox s = {.spec = spec, .status = -1, .signals = -1, .control = -1};
	int control[2], peelfs[2], rc;
	struct err e = {""};
	sigset_t old;

	relay_init(&s.relay, spec->has_terminal && spec->is_interactive);
	rc = ids_find(&s.ids, &e);
	if (rc == 0 &&
	    (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0 ||
	     socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, peelfs) < 0 ||
	     watch_signals(&s, &old) < 0))
		rc = err_set(&e, -errno, "cannot make sockets: %s", strerror(errno));
	if (rc == 0) {
		s.control = control[0];
		rc = start(&s, control[1], peelfs, &old, &e);
		close(control[1]);
		close(peelfs[1]);
	}
	if (rc < 0) {
		fprintf(stderr, "peelctl: %s\n", e.text);
		s.status = RUN_FAILED;
		if (s.init > 0)
			kill(s.init, SIGKILL);
	}
	serve(&s);
	end_server(&s);
	return s.status;
}
