/* SPDX-License-Identifier: MIT */
/*
 * The tar-split of layers (tar/tar_split.h): made in an unnamed file when one is first read,
 * which takes the whole layer, and dropped when it is idle. What is made again is the same.
 *
 * All calls but init and release: any thread.
 */
#ifndef FS_IMAGESTORE_SPLITS_H
#define FS_IMAGESTORE_SPLITS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/image/lazy.h"

struct images;
struct waiter;

struct splits {
	struct images *images;
	struct lazy_set set;
};

struct split {
	struct lazy lazy;
	struct splits *all;
	uint32_t image; /* whose layer it is, and its number there */
	uint32_t layer;
	int fd; /* while it is pinned */
	/* Atomic: 0 until it was made once. */
	uint64_t size;
	uint64_t archive_size;
};

/* @images must outlive it. */
void splits_init(struct splits *all, struct images *images);
/* The workers of the images are closed. */
void splits_release(struct splits *all);
/* Nothing is made. */
void split_init(struct split *sp, struct splits *all, uint32_t image, uint32_t layer);

/* Its size, and that of the layer's archive; 0: not known, because it was never made. */
uint64_t split_size(const struct split *sp);
uint64_t split_archive_size(const struct split *sp);
/*
 * Makes it unless it is there; another thread does, so that the wait can be ended. Failures are
 * counted and logged; an errno for a program.
 */
int split_need(struct split *sp, struct waiter *w);
/* As pread(2), and split_need(). */
ssize_t split_read(struct split *sp, void *buf, size_t size, uint64_t off,
		   struct waiter *w);

#endif
