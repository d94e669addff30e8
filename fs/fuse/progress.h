/* SPDX-License-Identifier: MIT */
/* The bar on the terminal of a person who waits for the layers. One thread. */
#ifndef FS_FUSE_PROGRESS_H
#define FS_FUSE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct mount;

struct progress {
	bool is_shown; /* stderr is a terminal */
	bool is_drawn;
	uint64_t start; /* ms */
};

void progress_init(struct progress *p);
void progress_draw(struct progress *p, struct mount *m);
void progress_wipe(struct progress *p, struct mount *m);

#endif
