/* SPDX-License-Identifier: MIT */
/*
 * The build steps of an image (image-spec config.md, "history"), and which layer each of
 * them made.
 */
#ifndef FS_TEXT_HISTORY_H
#define FS_TEXT_HISTORY_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct image;
struct json;
struct view;

/* Of a step that made no layer, or nobody knows which. */
#define NO_LAYER SIZE_MAX

/* Far more than any build has. A row of the table is longer than its step in the config. */
#define STEPS_MAX (1u << 17)

/* Borrowed from the config. The texts are never NULL. */
struct step {
	const char *created;
	const char *created_by;
	const char *comment;
	const struct json *json; /* NULL where the config has no history */
	size_t layer;		 /* from 0, or NO_LAYER */
};

/* The config, read: what the texts of an image are made of. */
struct history {
	struct json *config;
	struct step *steps; /* the oldest first */
	size_t n;
};

/*
 * A config without a history, or with more than STEPS_MAX steps, gives a step for each
 * layer. A history that does not fit the layers says nothing of any of them: all its
 * steps have NO_LAYER. 0, -ENOMEM, -EBADMSG. Release it in any case.
 */
int history_init(struct history *h, const struct image *img);
void history_release(struct history *h);

/* The step that made layer @i, or NULL. */
const struct step *history_of_layer(const struct history *h, size_t i);

/*
 * Appends what `docker history --no-trunc --human=false` prints, and for each step the
 * layer it made.
 */
int history_render(const struct view *v, const struct history *h, uint32_t none,
		   struct buf *out);

#endif
