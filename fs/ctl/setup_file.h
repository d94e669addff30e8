/* SPDX-License-Identifier: MIT */
/* Files that `peelctl setup --write` writes: nothing that was there is lost. */
#ifndef FS_CTL_SETUP_FILE_H
#define FS_CTL_SETUP_FILE_H

#include <stddef.h>

struct buf;
struct err;

/* Reads a file. 1: it is absent, and @out is empty; 0; a negative errno and a sentence. */
int setup_file_read(const char *path, struct buf *out, struct err *e);
/*
 * Makes @text the file @path, at once, with the mode and owner of the old one, which then has
 * the name @backup, of @size bytes: "" if there was none, or the same text. Directories are
 * created. A symlink stays: what it leads to is replaced. 0, or a negative errno and a sentence.
 */
int setup_file_write(const char *path, const struct buf *text, char *backup, size_t size,
		     struct err *e);
/* Creates a directory and those around it. 0, or a negative errno and a sentence. */
int setup_file_make_dir(const char *path, struct err *e);

#endif
