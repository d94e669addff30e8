/* SPDX-License-Identifier: MIT */
/* A progress bar on the terminal while image 0 is loaded. One thread. */
#ifndef FS_FUSE_PROGRESS_H
#define FS_FUSE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct images;
struct log;

struct progress {
	struct images *images;
	struct log *log;
	bool is_shown; /* stderr is a terminal */
	bool is_drawn;
	uint64_t start; /* ms */
};

void progress_init(struct progress *p, struct images *images, struct log *log);
void progress_draw(struct progress *p);
void progress_wipe(struct progress *p);

#endif
