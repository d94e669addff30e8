/* SPDX-License-Identifier: MIT */
/*
 * Paths in a root file system that somebody else made. They are followed as after chroot(2):
 * neither ".." nor a link leads out of the root. Absolute or not, a path begins at the root.
 * All calls may be used in any thread.
 */
#ifndef FS_RUN_ROOTED_H
#define FS_RUN_ROOTED_H

#include <sys/types.h>

struct buf;

/*
 * Opens @path below @root with @flags of open(2), O_CLOEXEC is added. Magic links of /proc
 * are not followed. A descriptor that the caller closes, or a negative errno.
 */
int rooted_open(int root, const char *path, int flags);

/*
 * Opens @path with O_PATH. What is missing is made first: directories, and at the end a
 * directory or an empty regular file, as @type (S_IFDIR or S_IFREG) says. The target of a
 * link is made if that is what is missing. A descriptor, or a negative errno.
 */
int rooted_make(int root, const char *path, mode_t type);

/*
 * Appends the contents of the regular file @path to @out, up to its ceiling. A negative errno:
 * -EINVAL for what is no regular file, -E2BIG.
 */
int rooted_load(int root, const char *path, struct buf *out);
/* The same for the absolute @path below the root of this process. */
int rooted_load_own(const char *path, struct buf *out);

#endif
