/* SPDX-License-Identifier: MIT */
/*
 * How far image 0 is loaded, as a bar on the terminal. Without a terminal, -v gives a line
 * every ten seconds. One thread.
 */
#ifndef FS_FUSE_PROGRESS_H
#define FS_FUSE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "registry/image/reference.h"

struct images;
struct log;

struct progress {
	struct images *images;
	struct log *log;
	char host[REFERENCE_HOST_MAX + 1]; /* the registry; "": the image is on disk */
	bool is_terminal;		   /* stderr is one */
	bool is_drawn;
	/* ms: */
	int64_t start;
	int64_t moved; /* when something came last */
	int64_t told;  /* the last line without a terminal */
	uint64_t seen; /* bytes that had come by then */
};

void progress_init(struct progress *p, struct images *images, struct log *log);
/* To be called several times a second. */
void progress_draw(struct progress *p);
void progress_wipe(struct progress *p);

#endif
