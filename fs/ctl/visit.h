/* SPDX-License-Identifier: MIT */
/*
 * The first access to the layers of a mounted image, which loads them, in a child process:
 * the kernel makes it wait, and the program can still say how far it is, and end. A child
 * ends with the program.
 */
#ifndef FS_CTL_VISIT_H
#define FS_CTL_VISIT_H

#include <stdbool.h>
#include <sys/types.h>

struct visit {
	pid_t child; /* 0: none */
	int result;
};

/*
 * Lists rootfs/ of the image at @top or, if there is none, @top itself, as with
 * layout=rootfs. 0 or a negative errno.
 */
int visit_start(struct visit *v, const char *top);
/*
 * Waits for the end, @ms milliseconds at most. 1: it goes on; 0: all layers are there; a
 * negative errno: the failure.
 */
int visit_await(struct visit *v, int ms);
void visit_end(struct visit *v);

/*
 * Whether a FUSE file system answers at @path within @ms milliseconds, whatever it waits for
 * itself. 0, -ETIMEDOUT, -ENOTDIR if another file system is there, or why not.
 */
int visit_probe(const char *path, int ms);

#endif
