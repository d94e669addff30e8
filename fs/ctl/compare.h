/* SPDX-License-Identifier: MIT */
/*
 * The differences between trees of two open images. What has the same st_ino in both is the
 * same, with all below it (fs/tree/node.h), and is not looked at; except for the tops, whose
 * st_ino says nothing. One thread.
 */
#ifndef FS_CTL_COMPARE_H
#define FS_CTL_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct item;
struct reader;

/* What can differ of something that both have. */
enum difference_what {
	DIFFERENT_TYPE =
		1 << 0, /* then content, size, target and device are not compared */
	DIFFERENT_CONTENT = 1 << 1,
	DIFFERENT_SIZE = 1 << 2, /* of a regular file; its content differs, too */
	DIFFERENT_MODE = 1 << 3,
	DIFFERENT_OWNER = 1 << 4,
	DIFFERENT_TIME = 1 << 5, /* mtime */
	DIFFERENT_XATTRS = 1 << 6,
	DIFFERENT_TARGET = 1 << 7, /* of a symlink */
	DIFFERENT_DEVICE = 1 << 8, /* numbers */
};
#define N_DIFFERENT 9

struct difference {
	const char *path;	  /* absolute: "/" is the top */
	const struct item *a, *b; /* NULL: that tree does not have it */
	unsigned what;		  /* enum difference_what; 0 unless both have it */
};

struct compare {
	struct reader *a, *b;
	/* Called for each difference, in the order of the paths' names, top down. */
	void (*on_difference)(void *arg, const struct difference *d);
	void *arg;
	bool is_incomplete; /* something could not be read, which was reported */

	/* Private: */
	struct buf path;
	struct buf xattrs[2], values[2];
};

/* 0, or -ENOMEM. */
int compare_trees(struct compare *c, uint64_t top_a, uint64_t top_b);

#endif
