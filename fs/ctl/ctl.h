/* SPDX-License-Identifier: MIT */
/*
 * The commands of peelctl, a file each. Each gets the words after its own name, prints
 * its answer to stdout and what went wrong to stderr, and gives the exit status: 0, 1
 * if it could not be done, ctl_usage() if the words are not understood.
 */
#ifndef FS_CTL_CTL_H
#define FS_CTL_CTL_H

#include <stddef.h>
#include <sys/types.h>

struct buf;
struct json;

int ctl_status(char **words);
int ctl_which(char **words);
int ctl_cache(char **words);
int ctl_index(char **words);

/* What they share. */

/* Says what is wrong with the words, and where help is. The exit status, 1. */
int ctl_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * A JSON document below a mount point; @out may be NULL. 0 or a negative errno: -ETIMEDOUT
 * from a mount whose daemon does not answer within some seconds.
 */
int ctl_read_json(const char *mountpoint, const char *name, struct buf *text,
		  struct json **out);
/* What that errno says of the mount, to a person. */
const char *ctl_unread(int code);

#endif
