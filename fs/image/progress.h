/* SPDX-License-Identifier: MIT */
/*
 * How far image 0 is loaded, as a bar on the terminal. Without a terminal, -v gives a line
 * every ten seconds. One thread.
 */
#ifndef FS_IMAGE_PROGRESS_H
#define FS_IMAGE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/text/bar.h"

struct images;
struct log;
struct view;

struct progress {
	struct images *images;
	struct log *log;
	struct bar bar;
	uint64_t before;  /* bytes that had been fetched at the start */
	bool is_terminal; /* stderr is one */
	int64_t told;	  /* ms: the last line without a terminal */
	/* How far it is; progress_init() sets view_progress(). */
	void (*measure)(void *arg, const struct view *v, struct bar_state *out);
	void *arg;
};

void progress_init(struct progress *p, struct images *images, struct log *log);
/* To be called several times a second. */
void progress_draw(struct progress *p);
void progress_wipe(struct progress *p);

#endif
