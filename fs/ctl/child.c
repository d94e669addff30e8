/* SPDX-License-Identifier: MIT */
#include "fs/ctl/child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* 100 ms in all. */
#define LOOK_MS 2
#define LOOKS	50

pid_t child_fork(void)
{
	pid_t parent = getpid(), child;
	int null, i;

	fflush(NULL); /* the child must not write what is buffered */
	child = fork();
	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; i <= STDERR_FILENO; i++) {
		if (dup2(null, i) < 0)
			close(i);
	}
	return 0;
}

void child_kill(pid_t child)
{
	struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	unsigned i;

	kill(child, SIGKILL);
	for (i = 0; i < LOOKS && waitpid(child, NULL, WNOHANG) == 0; i++)
		nanosleep(&pause, NULL);
}
