/* SPDX-License-Identifier: MIT */
/*
 * The header of an entry of a tar whose name, owner and size ustar can hold, as it can those
 * of most. A time that it cannot hold gets a pax record.
 */
#ifndef FS_CTL_USTAR_H
#define FS_CTL_USTAR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define USTAR_BLOCK 512
/* A header and a block for the record of the time, and the header. */
#define USTAR_MAX (3 * USTAR_BLOCK)

/*
 * Writes the header to @out, which has USTAR_MAX bytes. @name: relative; that of a directory
 * gets a slash. @link: the target of a symlink, or with @is_hardlink the name of an earlier
 * entry; else NULL. The length; 0 if it cannot be done: a name that is long or not ASCII, a
 * large number, a socket.
 */
size_t ustar_format(const char *name, const struct stat *st, const char *link,
		    bool is_hardlink, char *out);

#endif
