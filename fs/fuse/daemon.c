/* SPDX-License-Identifier: MIT */
#include "fs/fuse/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EXIT_DIED 32 /* as mount(8): mount failure */

static void ending_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
}

void daemon_block_signals(void)
{
	sigset_t set;

	ending_signals(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* The last status that the child sent, once it is 0 or the child has closed its end. */
static int wait_for_word(int pipe, int signals, pid_t child)
{
	struct pollfd fds[] = {{.fd = pipe, .events = POLLIN},
			       {.fd = signals, .events = POLLIN}};
	struct signalfd_siginfo info;
	unsigned char word;
	int status = -1;
	ssize_t n;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return EXIT_DIED;
		if ((fds[1].revents & POLLIN) &&
		    read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
			kill(child, (int)info.ssi_signo);
		if (!fds[0].revents)
			continue;
		n = read(pipe, &word, 1);
		if (n == 1)
			status = word;
		/* Wait for the end of a failed child, so that nothing of it is left. */
		if (n == 0 || status == 0)
			return status;
	}
}

static int be_parent(int pipe, pid_t child)
{
	sigset_t set;
	int signals, status;

	ending_signals(&set);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	status = wait_for_word(pipe, signals, child);
	if (status < 0) {
		fprintf(stderr, "peelfs: the daemon ended before it mounted anything\n");
		status = EXIT_DIED;
	}
	return status;
}

int daemon_split(struct daemon *d, bool foreground)
{
	int fds[2];
	pid_t child;

	d->pipe = -1;
	if (foreground)
		return -1;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -2;
	child = fork();
	if (child < 0) {
		close(fds[0]);
		close(fds[1]);
		return -2;
	}
	if (child > 0) {
		close(fds[1]);
		return be_parent(fds[0], child);
	}
	close(fds[0]);
	d->pipe = fds[1];
	setsid();
	return -1;
}

bool daemon_is_orphan(const struct daemon *d)
{
	struct pollfd fd = {.fd = d->pipe, .events = 0};

	return d->pipe >= 0 && poll(&fd, 1, 0) == 1 && (fd.revents & POLLERR);
}

bool daemon_tell(struct daemon *d, int status)
{
	unsigned char word = (unsigned char)status;
	ssize_t n;

	if (d->pipe < 0)
		return true;
	do {
		n = write(d->pipe, &word, 1);
	} while (n < 0 && errno == EINTR);
	/* After a failure the pipe is left to close with the process. */
	if (status == 0)
		close(d->pipe);
	d->pipe = -1;
	return n == 1;
}

void daemon_detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	fflush(NULL);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	if (chdir("/") < 0) {
		/* Then that directory stays busy; it does no other harm. */
	}
}
