/* SPDX-License-Identifier: MIT */
/*
 * A file that is written in order, with small changes behind the end, through a fixed
 * number of pages in memory. What was never written reads as zeros. One thread.
 */
#ifndef FS_EROFS_PAGES_H
#define FS_EROFS_PAGES_H

#include <stddef.h>
#include <stdint.h>

struct pages;

/* @fd is empty and borrowed. 0 or -ENOMEM. */
int pages_new(int fd, struct pages **out);
/* What was not flushed is lost. NULL is fine. */
void pages_free(struct pages *p);

/* 0, -ENOMEM, or the errno of the file. */
int pages_put(struct pages *p, uint64_t off, const void *data, size_t len);
int pages_get(struct pages *p, uint64_t off, void *buf, size_t len);
/* Writes everything to the file, whose size is then a multiple of 64 KiB. */
int pages_flush(struct pages *p);

#endif
