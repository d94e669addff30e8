/* SPDX-License-Identifier: MIT */
/* The attributes of a node, as a reply to the kernel has them. */
#ifndef FS_IMAGE_ITEM_H
#define FS_IMAGE_ITEM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct item {
	uint64_t node; /* 0: none, a name in a list that has to be looked up */
	struct stat attr;
	bool is_live;	     /* its name leads to another node next time */
	bool is_provisional; /* its attributes may be others next time */
	bool expires;	     /* name and attributes hold for @seconds only */
	uint32_t seconds;
};

#endif
