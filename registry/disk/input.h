/* SPDX-License-Identifier: MIT */
/*
 * The file that an archive is read from: a file by its path, or standard input, which is
 * copied to an unnamed file if it is a pipe, because an archive is read at any offset.
 */
#ifndef REGISTRY_DISK_INPUT_H
#define REGISTRY_DISK_INPUT_H

#include <stdbool.h>

struct archive_helper;
struct err;
struct source;

/* The path that means standard input. */
#define INPUT_STANDARD "-"

#define INPUT_IDENTITY_MAX 160

struct input {
	struct source *source;
	/*
	 * Device, inode, size and times of a file that has not been changed in the last seconds:
	 * it has other bytes only if one of these has changed. Else "".
	 */
	char identity[INPUT_IDENTITY_MAX];
};

/* Opens a file. Errors: those of open(); -EINVAL: not a regular file. */
int input_open(const char *path, struct input *out, struct err *e);
/*
 * Copies @fd to its end into an unnamed file in TMPDIR (/var/tmp), and says so through @h. A
 * regular file is not copied: the source reads it from where @fd stands. @h may be NULL.
 * -EBADMSG: empty, or a terminal; -EINTR: *cancelled was set; else the error of reading or
 * writing. @fd stays the caller's.
 */
int input_copy(int fd, const struct archive_helper *h, struct input *out, struct err *e);

#endif
