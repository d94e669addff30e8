/* SPDX-License-Identifier: MIT */
#include "fs/ctl/child.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* 100 ms in all. */
#define LOOK_MS 2
#define LOOKS	50

void child_kill(pid_t child)
{
	struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	unsigned i;

	kill(child, SIGKILL);
	for (i = 0; i < LOOKS && waitpid(child, NULL, WNOHANG) == 0; i++)
		nanosleep(&pause, NULL);
}
