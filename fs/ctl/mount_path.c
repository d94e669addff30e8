/* SPDX-License-Identifier: MIT */
#include "fs/ctl/mount_path.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mountinfo.h"

/*
 * Follows symlinks in all components but the last, because the file may be one itself; in
 * "x/", "." and "..", the last too.
 */
static int make_absolute(const char *path, char *out)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *parent, real[PATH_MAX];
	int rc = 0;

	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return realpath(path, out) ? 0 : -errno;
	parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	if (!parent)
		return -ENOMEM;
	if (!realpath(parent, real))
		rc = -errno;
	else if (snprintf(out, PATH_MAX, "%s/%s", strcmp(real, "/") ? real : "", name) >=
		 PATH_MAX)
		rc = -ENAMETOOLONG;
	free(parent);
	return rc;
}

/* The part of @path below @top, with its slash, or ""; NULL if it is elsewhere. */
static const char *find_below(const char *path, const char *top)
{
	size_t len = strcmp(top, "/") ? strlen(top) : 0;

	if (strncmp(path, top, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

struct search {
	const char *path;
	dev_t device;
	size_t longest;
	bool is_found;
	char *inside;
	char *mountpoint;
};

/* The innermost mount that has the path decides where it is in the file system. */
static int match_path(void *arg, const struct mountinfo *m)
{
	struct search *s = arg;
	const char *rest = find_below(s->path, m->mountpoint);

	if (m->device != s->device || !rest || strlen(m->mountpoint) < s->longest)
		return 0;
	s->longest = strlen(m->mountpoint);
	s->is_found = true;
	if (snprintf(s->inside, PATH_MAX, "%s%s",
		     strcmp(m->root, "/") == 0 ? "" : m->root, rest) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

/* Where the whole file system is mounted, not a part of it. */
static int match_whole(void *arg, const struct mountinfo *m)
{
	struct search *s = arg;

	if (m->device == s->device && strcmp(m->root, "/") == 0 &&
	    strlen(m->mountpoint) < PATH_MAX)
		strcpy(s->mountpoint, m->mountpoint);
	return 0;
}

int mount_path_find(const char *path, char *mountpoint, char *inside)
{
	struct search s = {.inside = inside, .mountpoint = mountpoint};
	char full[PATH_MAX];
	struct stat st;
	int rc = make_absolute(path, full);

	if (rc < 0)
		return rc;
	if (lstat(full, &st) < 0)
		return -errno;
	s.path = full;
	s.device = st.st_dev;
	mountpoint[0] = '\0';
	rc = mountinfo_each(match_path, &s);
	if (rc == 0 && !s.is_found)
		rc = -EXDEV;
	return rc < 0 ? rc : mountinfo_each(match_whole, &s);
}
