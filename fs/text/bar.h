/* SPDX-License-Identifier: MIT */
/*
 * A progress bar for the layers of an image, on the last line of the terminal that is
 * standard error. One thread.
 */
#ifndef FS_TEXT_BAR_H
#define FS_TEXT_BAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/image/reference.h"

/* The longest text, with its NUL. */
#define BAR_TEXT_MAX (REFERENCE_HOST_MAX + 192)

struct bar {
	char host[REFERENCE_HOST_MAX + 1]; /* the registry; "": the image is on disk */
	bool is_drawn;
	/* Milliseconds of the clock that the calls get: */
	int64_t start;
	int64_t moved; /* when something came last */
	uint64_t seen; /* bytes that had come by then */
};

struct bar_state {
	bool is_resolved; /* else the numbers of layers and their bytes mean nothing yet */
	uint64_t bytes;	  /* compressed, processed */
	uint64_t size;	  /* compressed, in all */
	size_t layers;	  /* done */
	size_t n_layers;
	uint64_t fetched; /* from the network, since bar_init() */
	uint64_t archive; /* read of an archive on disk, to find the image in it */
};

/* @host: "" if there is none. @now: the first of times that never go back. */
void bar_init(struct bar *b, const char *host, int64_t now);
/*
 * Says how far it is: "1.0/4.0 MiB  ..."; or how long the registry has been silent; or how
 * much of an archive was read; or nothing, if none is known. To be called several times a second.
 */
void bar_describe(struct bar *b, const struct bar_state *at, int64_t now,
		  char text[BAR_TEXT_MAX]);
/*
 * Draws the bar with what bar_describe() gave. Not in the first moments: a load that needs
 * no network takes less and needs no bar. False if nothing is drawn yet.
 */
bool bar_draw(struct bar *b, const struct bar_state *at, int64_t now, const char *text);
/* Leaves the line as it was before. */
void bar_wipe(struct bar *b);

/* From now on SIGINT and SIGTERM end the process as they do by default, but without the bar. */
void bar_wipe_at_signals(void);

#endif
