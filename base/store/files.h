/* SPDX-License-Identifier: MIT */
/*
 * Directories and files of a store, by descriptor: files without a name, names given by
 * rename. Knows nothing about a store's layout. Returns are negative errno on failure.
 */
#ifndef BASE_STORE_FILES_H
#define BASE_STORE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct stat;

/* mkdir -p with mode 0700. */
int files_make_path(const char *path);
/*
 * Opens the directory @path below @at; missing levels are created. Follows no symlinks.
 */
int files_open_below(int at, const char *path);
/* Whether the directory @fd has been used as a store. */
bool files_is_store(int fd);

/*
 * Opens the regular file @name in @dir, close-on-exec; O_CREAT uses mode 0600. -ENOENT
 * for anything but a regular file: opening a FIFO that somebody put there could block.
 */
int files_open(int dir, const char *name, int flags);
/* Takes @fd and appends the whole file to @out. -ENOENT if it has more than @max bytes. */
int files_read(int fd, size_t max, struct buf *out);

/* Appends all of @from to @to, which is empty. */
int files_copy(int from, int to);

/* What a file occupies, without its holes. */
uint64_t files_disk_bytes(const struct stat *st);

/* A new file without a name in @dir, or in $TMPDIR (/var/tmp). */
int files_new_unnamed(int dir);
int files_new_temporary(void);
/* The directory of the latter, borrowed. */
const char *files_temporary_dir(void);

/*
 * Makes @fd the file @name in @dir, replacing an older one, after fsync. @tmp is a
 * directory of the same file system.
 */
int files_give_name(int tmp, int fd, int dir, const char *name);
/*
 * Removes from @tmp what killed processes left there an hour ago or longer. Files with
 * names that are not ours stay, because @tmp may be somebody else's directory.
 */
void files_clean(int tmp);

#endif
