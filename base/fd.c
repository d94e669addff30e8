/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

static int move_all(int fd, char *at, size_t len, uint64_t off, bool is_write)
{
	while (len > 0) {
		ssize_t n = is_write ? pwrite(fd, at, len, (off_t)off)
				     : pread(fd, at, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		off += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_write_all(int fd, const void *data, size_t len, uint64_t off)
{
	return move_all(fd, (char *)(uintptr_t)data, len, off, true);
}

int fd_read_all(int fd, void *buf, size_t len, uint64_t off)
{
	return move_all(fd, buf, len, off, false);
}
