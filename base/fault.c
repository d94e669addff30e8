/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Maps a new page in place of the lost one; the access is then repeated. mmap() is a plain
 * system call, so a signal handler may make it.
 */
static void on_fault(int number, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *at = (void *)((uintptr_t)info->si_addr & ~(page - 1));
	int saved = errno;

	(void)context;
	/* For broken memory: the access is repeated with the default action, which ends us. */
	if (info->si_code != BUS_ADRERR ||
	    mmap(at, page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		signal(number, SIG_DFL);
	errno = saved;
}

void fault_init(void)
{
	struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	sigemptyset(&act.sa_mask);
	(void)sigaction(SIGBUS, &act, NULL);
}
