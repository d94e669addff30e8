/* SPDX-License-Identifier: MIT */
#include "fs/ctl/visit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "fs/ctl/child.h"

/* Between two looks at the child. */
#define LOOK_MS 10

/* An errno. */
static int list_layers(const char *top)
{
	int at = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	DIR *dir;

	if (at < 0)
		return errno;
	fd = openat(at, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 && errno != ENOENT ? NULL : fdopendir(fd < 0 ? at : fd);
	if (!dir)
		return errno;
	errno = 0;
	readdir(dir);
	return errno;
}

static int probe(const char *path)
{
	struct statfs st;

	if (statfs(path, &st) < 0)
		return errno;
	return st.f_type == FUSE_SUPER_MAGIC ? 0 : ENOTDIR;
}

static int start(struct visit *v, int (*work)(const char *path), const char *path)
{
	pid_t child = child_fork();

	if (child == 0)
		_exit(work(path));
	v->child = child > 0 ? child : 0;
	return child < 0 ? -errno : 0;
}

int visit_start(struct visit *v, const char *top)
{
	return start(v, list_layers, top);
}

int visit_await(struct visit *v, int ms)
{
	int64_t until = clock_ms() + ms;
	struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	int status;
	pid_t ended;

	while (v->child) {
		ended = waitpid(v->child, &status, WNOHANG);
		if (ended == 0 && clock_ms() >= until)
			return 1;
		if (ended == 0) {
			nanosleep(&pause, NULL);
			continue;
		}
		v->child = 0;
		v->result = ended > 0 && WIFEXITED(status) ? -WEXITSTATUS(status)
							   : -EINTR;
	}
	return v->result;
}

void visit_end(struct visit *v)
{
	if (!v->child)
		return;
	child_kill(v->child);
	v->child = 0;
}

int visit_probe(const char *path, int ms)
{
	struct visit v = {.child = 0};
	int rc = start(&v, probe, path);

	if (rc == 0)
		rc = visit_await(&v, ms);
	visit_end(&v);
	return rc == 1 ? -ETIMEDOUT : rc;
}
