/* SPDX-License-Identifier: MIT */
#include "fs/run/self.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Since Linux 6.3, where a machine may require it. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

static bool is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS;
}

static int new_memory(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("peelctl", flags | MFD_EXEC);

	return fd < 0 && errno == EINVAL ? memfd_create("peelctl", flags) : fd;
}

static int copy(int from, int to)
{
	struct stat st;
	off_t done = 0;

	if (fstat(from, &st) < 0)
		return -errno;
	while (done < st.st_size) {
		if (sendfile(to, from, NULL, (size_t)(st.st_size - done)) <= 0)
			return errno ? -errno : -EIO;
		done = lseek(to, 0, SEEK_CUR);
	}
	return fcntl(to, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

static int execute_copy(int self, char *const *words)
{
	extern char **environ;
	char path[PATH_MAX], **argv;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int fd, rc;
	size_t i = 0;

	if (n < 0)
		return -errno;
	path[n] = '\0';
	while (words[i])
		i++;
	argv = calloc(i + 2, sizeof(*argv));
	fd = new_memory();
	rc = !argv ? -ENOMEM : fd < 0 ? -errno : copy(self, fd);
	if (rc == 0) {
		argv[0] = path;
		memcpy(argv + 1, words, i * sizeof(*argv));
		fexecve(fd, argv, environ);
		rc = -errno;
	}
	if (fd >= 0)
		close(fd);
	free(argv);
	return rc;
}

int self_protect(char *const *words, struct err *e)
{
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), rc;

	if (self < 0)
		return err_set(e, -errno, "cannot open /proc/self/exe: %s",
			       strerror(errno));
	rc = is_sealed(self) ? 0 : execute_copy(self, words);
	close(self);
	return rc < 0 ? err_set(e, rc, "cannot run a copy of this program in memory: %s",
				strerror(-rc))
		      : 0;
}

char *self_neighbour(const char *name)
{
	const char *own = program_invocation_name, *slash = strrchr(own, '/');
	char *path;

	if (asprintf(&path, "%.*s%s", slash ? (int)(slash - own + 1) : 0, own, name) < 0)
		return NULL;
	return path;
}
