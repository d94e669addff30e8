/* SPDX-License-Identifier: MIT */
/*
 * A folder of a test's own, gone when the test is; and a small disk, for a user who may
 * mount one.
 */
#ifndef TESTS_UNIT_PLACE_H
#define TESTS_UNIT_PLACE_H

#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char place[PATH_MAX - 512];
static pid_t place_owner;
static char place_disks[8][PATH_MAX]; /* those that are mounted */
static unsigned place_n_disks;

static int place_remove_one(const char *path, const struct stat *st, int flag,
			    struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void place_remove(const char *path)
{
	(void)nftw(path, place_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void place_at_exit(void)
{
	if (getpid() != place_owner) /* a child that was forked leaves it alone */
		return;
	while (place_n_disks > 0)
		(void)umount2(place_disks[--place_n_disks], MNT_DETACH);
	place_remove(place);
}

static void place_make(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(place, sizeof(place), "%s/peelfs-unit-XXXXXX",
		 tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(place)) {
		perror(place);
		exit(1);
	}
	place_owner = getpid();
	atexit(place_at_exit);
}

/* PLACE/name, in one of a few buffers that take turns. */
__attribute__((unused)) static const char *place_path(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", place, name);
	return path;
}

/*
 * A variable of the environment; NULL takes it away. Not setenv(), which leaks when there
 * is no memory for its notes.
 */
__attribute__((unused)) static void place_env(const char *name, const char *value)
{
	static char texts[4][PATH_MAX];
	static unsigned turn;
	char *text = texts[turn++ % 4];

	unsetenv(name);
	if (!value)
		return;
	snprintf(text, PATH_MAX, "%s=%s", name, value);
	(void)putenv(text);
}

/*
 * A new disk of @size at @path, seen by this process alone and gone with it. false for
 * a user who may not mount.
 */
__attribute__((unused)) static bool place_small_disk(const char *path, const char *size)
{
	char options[64];

	snprintf(options, sizeof(options), "mode=0700,size=%s", size);
	if (place_n_disks == 8 || mkdir(path, 0700) < 0)
		return false;
	if (place_n_disks == 0 &&
	    (unshare(CLONE_NEWNS) < 0 ||
	     mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		return false;
	if (mount("none", path, "tmpfs", 0, options) < 0)
		return false;
	snprintf(place_disks[place_n_disks++], PATH_MAX, "%s", path);
	return true;
}

#endif
