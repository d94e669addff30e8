/* SPDX-License-Identifier: MIT */
/*
 * Not by PR_SET_DUMPABLE: it also makes /proc/self root's, by which files get their names,
 * and the mounts of users could not keep anything.
 */
#include "base/core_dump.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

void core_dump_forbid(void)
{
	static const struct rlimit none = {0, 0};
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	(void)setrlimit(RLIMIT_CORE, &none);
	if (fd < 0)
		return;
	(void)!write(fd, "0", 1);
	close(fd);
}
