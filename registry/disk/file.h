/* SPDX-License-Identifier: MIT */
/* Files on disk as sources. */
#ifndef REGISTRY_DISK_FILE_H
#define REGISTRY_DISK_FILE_H

struct buf;
struct err;
struct source;

/* @path is relative to the directory @dir, or AT_FDCWD. Errors: those of openat(). */
int file_open(int dir, const char *path, struct source **out, struct err *e);
/* Appends all of @s to @out. -E2BIG: more than its ceiling. */
int file_read(struct source *s, struct buf *out, struct err *e);
/*
 * Cuts "PATH[:TAG]" at its first colon into two new texts; without a tag, or with an empty
 * one, *tag is NULL. -ENOMEM; the caller frees both texts in any case.
 */
int file_split(const char *text, char **path, char **tag);

#endif
