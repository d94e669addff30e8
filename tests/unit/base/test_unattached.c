/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/unattached.h"
#include "tests/unit/test.h"

/* No file systems have such numbers. */
#define DEVICE makedev(4095, 1048575)
#define OTHER  makedev(4095, 1048574)

static void test_link(void)
{
	char path[UNATTACHED_PATH_MAX];
	int fd = open("/", O_PATH | O_CLOEXEC), rc;
	struct stat st, root;

	ok(!unattached_find(DEVICE, path), "nothing was noted");
	rc = unattached_note(DEVICE, fd);
	if (rc == -EACCES || rc == -ENOENT || rc == -EROFS || rc == -EPERM) {
		close(fd); /* /run is not ours */
		return;
	}
	is_int(rc, 0, "noted");
	ok(unattached_find(DEVICE, path), "found");
	is_text(path, "/run/peelfs/4095:1048575", "by its number");
	ok(stat(path, &st) == 0 && fstat(fd, &root) == 0 && st.st_ino == root.st_ino &&
		   st.st_dev == root.st_dev,
	   "and leads to the descriptor");
	is_int(unattached_note(DEVICE, fd), 0, "noted again");
	unattached_forget(DEVICE);
	ok(!unattached_find(DEVICE, path), "forgotten");
	is_int(unattached_note(DEVICE, 1000), 0, "one that leads nowhere");
	is_int(unattached_note(OTHER, fd), 0, "and another");
	ok(!unattached_find(DEVICE, path), "which removes it");
	unattached_forget(OTHER);
	close(fd);
}

int main(void)
{
	test_link();
	return test_done();
}
