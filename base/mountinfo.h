/* SPDX-License-Identifier: MIT */
/*
 * The mounts of peelfs that this process sees, from /proc/self/mountinfo (proc(5)). Asks the
 * file systems nothing.
 */
#ifndef BASE_MOUNTINFO_H
#define BASE_MOUNTINFO_H

#include <stdbool.h>
#include <sys/types.h>

/* A mount of peelfs, or of a part of one. Lent for a call. */
struct mountinfo {
	const char *mountpoint;
	const char *root; /* what of the file system is mounted there: "/" */
	const char *source;
	dev_t device;
	bool is_erofs; /* the kernel's, over one of peelfs: unattached.h */
};

/*
 * Calls @fn for each, in the order in which they were mounted. A negative return ends it and
 * is the result; -errno if the file cannot be read.
 */
int mountinfo_each(int (*fn)(void *arg, const struct mountinfo *m), void *arg);

#endif
