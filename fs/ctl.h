/* SPDX-License-Identifier: MIT */
/*
 * The commands of peelctl, a file each. Each gets the words after its own name, prints
 * its answer to stdout and what went wrong to stderr, and gives the exit status: 0, 1
 * if it could not be done, CTL_USAGE if the words are not understood.
 */
#ifndef FS_CTL_H
#define FS_CTL_H

#include <stddef.h>

struct buf;
struct json;

#define CTL_USAGE (-1)

int ctl_status(char **words);
int ctl_which(char **words);
int ctl_cache(char **words);
int ctl_index(char **words);

/* What they share. */

/* A JSON document below a mount point; 0, or negative after a sentence on stderr. */
int ctl_read_json(const char *mountpoint, const char *name, struct buf *text,
		  struct json **out);

/*
 * Calls @fn for each peelfs mount that this process sees. A negative return ends it and
 * is given back. @mountpoint is lent.
 */
int ctl_each_mount(int (*fn)(void *arg, const char *mountpoint), void *arg);

#endif
