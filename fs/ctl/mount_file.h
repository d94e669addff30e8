/* SPDX-License-Identifier: MIT */
/* Documents that a mount shows, read so that a daemon that hangs cannot block the reader. */
#ifndef FS_CTL_MOUNT_FILE_H
#define FS_CTL_MOUNT_FILE_H

struct buf;
struct json;

/* Much longer than a daemon on a busy machine needs for what it has in memory. */
#define MOUNT_FILE_MS 5000

/*
 * Reads the JSON document @name below a mount point into @text and, unless @out is NULL,
 * parses it. 0 or a negative errno: -ETIMEDOUT if the daemon does not answer within @ms
 * milliseconds, -ENOENT if it has no such document, also if an image has a file of that name.
 */
int mount_file_read(const char *mountpoint, const char *name, int ms, struct buf *text,
		    struct json **out);
/*
 * The same for the status of a mount, or of an image in it. Loads nothing if @mountpoint is
 * the top of the mount. -ENOENT: it has no status.
 */
int mount_file_status(const char *mountpoint, int ms, struct buf *text,
		      struct json **out);
/* A phrase for users: what such an errno says about the mount. */
const char *mount_file_explain(int code);

#endif
