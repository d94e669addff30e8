/* SPDX-License-Identifier: MIT */
#include "registry/config/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/home.h"

static int path_checked(char *out, int len)
{
	if (len >= 0 && len < PATH_MAX)
		return 0;
	out[0] = '\0';
	return -ENAMETOOLONG;
}

int paths_config(char *out, const char *rest)
{
	const char *dir = getenv("XDG_CONFIG_HOME");

	if (dir && dir[0])
		return path_checked(out, snprintf(out, PATH_MAX, "%s/%s", dir, rest));
	return path_checked(out,
			    snprintf(out, PATH_MAX, "%s/.config/%s", home_dir(), rest));
}

int paths_fix_environment(void)
{
	static const char *const names[] = {"REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
					    "CONTAINERS_REGISTRIES_CONF"};
	char folder[PATH_MAX], path[PATH_MAX];
	int rc = 0;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]) && rc == 0; i++) {
		const char *value = getenv(names[i]);

		if (!value || !value[0] || value[0] == '/')
			continue;
		rc = getcwd(folder, sizeof(folder)) ? paths_join(path, folder, value)
						    : -errno;
		if (rc == 0 && setenv(names[i], path, 1) < 0)
			rc = -errno;
	}
	return rc;
}

int paths_join(char *out, const char *folder, const char *name)
{
	return path_checked(out, snprintf(out, PATH_MAX, "%s/%s", folder, name));
}

bool paths_exists(const char *path)
{
	return path[0] && access(path, F_OK) == 0;
}

int paths_read(const char *path, struct buf *out)
{
	char chunk[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;

	if (fd < 0)
		return -errno;
	while (rc == 0 && (n = read(fd, chunk, sizeof(chunk))) != 0)
		rc = n < 0 ? -errno : buf_append(out, chunk, (size_t)n);
	explicit_bzero(chunk, sizeof(chunk));
	close(fd);
	return rc == -E2BIG ? -EFBIG : rc; /* whose text speaks of files */
}
