/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/test.h"

int main(void)
{
	const struct rlimit small = {.rlim_cur = 1000, .rlim_max = RLIM_INFINITY};
	int fd = memfd_create("fd", MFD_CLOEXEC), file;
	char text[16] = "", name[] = "/tmp/peelfs-fd-XXXXXX";

	is_int(fd_write_all(fd, "0123456789", 10, 5), 0, "bytes at a place");
	is_int(fd_write_all(fd, "", 0, 100), 0, "none are written anywhere");
	is_int(lseek(fd, 0, SEEK_END), 15, "that is the file");
	is_int(fd_read_all(fd, text, 10, 5), 0, "they come back");
	is_text(text, "0123456789", "as they were");
	is_int(fd_read_all(fd, text, 11, 5), -EIO, "not more than there are");
	is_int(fd_read_all(-1, text, 1, 0), -EBADF, "what read fails with");
	is_int(fd_write_all(-1, text, 1, 0), -EBADF, "what write fails with");
	close(fd);

	file = mkstemp(name);
	unlink(name);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	is_int(fd_write_all(file, "0123456789", 10, 995), -EFBIG,
	       "a short write goes on");
	is_int(lseek(file, 0, SEEK_END), 1000, "to where it can");
	close(file);
	return test_done();
}
